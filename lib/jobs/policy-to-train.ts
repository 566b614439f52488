/** Opens the policy that a run trains: all of it, or an adapter on it. */
import { join, resolve } from 'node:path';
import { exists } from '../checkpoint/files.js';
import { quoteForShell } from '../command-text.js';
import { deriveSeed } from '../experiment/sample.js';
import type { Device } from '../engine/index.js';
import { resolveModelDirectory } from '../package-root.js';
import { buffersOf, type Adapter } from '../policy/architecture.js';
import { addAdapter, frozenOf, mergeAdapter } from '../policy/lora.js';
import type { Policy } from '../policy/policy.js';
import { checkUploadable } from '../policy/resident-weights.js';
import { parseTargets, type Parameters } from '../run/parameters.js';
import { splitTrained } from '../train/gradient-program.js';
import { checkTrainable } from '../train/training-state.js';
import { openPolicy } from './open.js';
import type { Fetching } from './sources.js';

/**
 * Reads the policy that the parameters name and, where `loraRank` is not 0, puts an adapter on it: the one that it has already goes on; else a
 * new one, from the run's seed. With `loraRank` 0 an adapter that it has is merged, and all weights are trained.
 *
 * @throws Error in one sentence for a policy that is not there, cannot be used, is too large to train on the device, or has another adapter
 *   than the parameters ask for
 */
export async function openPolicyToTrain(
  parameters: Parameters,
  device: Device,
  fetching: Fetching,
): Promise<Policy> {
  const policy = await adapt(await openPolicy(parameters, fetching), parameters, fetching);
  const { trained, frozen } = splitTrained(policy.weights, buffersOf(policy), frozenOf(policy));
  checkTrainable(trained, device);
  checkUploadable(frozen, device);
  return policy;
}

async function adapt(policy: Policy, parameters: Parameters, { onNotice }: Fetching): Promise<Policy> {
  const { loraRank: rank, loraAlpha: alpha, loraTargets, seed } = parameters;
  const { adapter } = policy;
  if (rank === 0) {
    if (adapter)
      onNotice?.(
        `${policy.directory} is an adapter: it is merged into ${adapter.base}, and all weights are trained. ${describe(adapter)} trains the adapter on.`,
      );
    return mergeAdapter(policy);
  }
  const asked = { rank, alpha, targets: parseTargets(loraTargets) };
  if (!adapter) {
    const base = await baseOf(parameters);
    return {
      ...addAdapter(policy, { ...asked, base }, deriveSeed(seed, 0, 'adapter')),
      baseDirectory: policy.directory,
    };
  }
  if (describe(adapter) !== describe(asked))
    throw new Error(
      `${policy.directory} has an adapter of another kind than is asked for: train that one on (${describe(adapter)}), or merge it first (npx speech-dpo merge ${quoteForShell(policy.directory)} --output FOLDER) and give FOLDER as --policy`,
    );
  return policy;
}

/** The options that ask for such an adapter. */
const describe = ({ rank, alpha, targets }: Omit<Adapter, 'base'>): string =>
  `--lora-rank ${rank} --lora-alpha ${alpha} --lora-targets ${[...targets].sort().join(',')}`;

/** How an adapter's folder names the policy that the parameters name: so that it is found from any working directory. */
async function baseOf({ policy, model }: Parameters): Promise<string> {
  if (policy !== null) return (await exists(policy)) ? resolve(policy) : policy;
  return model === 'default' ? model : resolve(join(resolveModelDirectory(model), 'policy'));
}
