/** `speech-dpo merge`: an adapter's folder becomes a whole checkpoint. */
import { resolve } from 'node:path';
import { refuseToReplaceFolder } from '../checkpoint/files.js';
import { compile, tf, type Device, type HostArray } from '../engine/index.js';
import { tellingFirst } from '../plain-error.js';
import { buffersOf, type Model } from '../policy/architecture.js';
import { adapterShapes, mergeAdapter } from '../policy/lora.js';
import { loadPolicy, savePolicy } from '../policy/policy.js';
import { uploadWeights, weightSpecs } from '../policy/resident-weights.js';
import { uniformStream } from '../random.js';
import { openDevice, type GivenDevice } from './open.js';
import { findModelPart, type Fetching } from './sources.js';

/** Which adapter is merged, and where the checkpoint goes. */
export interface MergeOptions extends GivenDevice, Fetching {
  /** Folder of an adapter, such as model_output/0601-1200/iter_2/dpo_model, or a hub name. */
  adapter: string;
  /** Folder to write. */
  output: string;
  /** Whether `output` may replace a checkpoint; default false. */
  overwrite?: boolean;
}

/** How far logits of the merged model are from those of base and adapter, and how far rounding alone may take them. */
export interface MergeResult {
  difference: number;
  tolerance: number;
}

/** Logits of how many ids are compared: two rows of each. */
const PROMPT_IDS = 24;
const COMPLETION_IDS = 16;

/**
 * How many times the noise the difference may be. The noise is what one unit in the last place of each merged weight does to the logits; base
 * and adapter round besides what they add up. With thirty random adapters of two models the difference was 0.4 to 2 times the noise.
 */
const NOISES = 4;

/**
 * Merges an adapter into its base and writes the whole checkpoint, once the logits of a fixed batch have been compared.
 *
 * @throws Error in one sentence when something is in `output` already, the folder is no adapter's, its base is missing, or the logits differ
 *   by more than float32 explains: then nothing is written
 */
export const mergeCheckpoint = tellingFirst(async function ({
  adapter,
  output,
  overwrite,
  signal,
  onNotice,
  ...given
}: MergeOptions): Promise<MergeResult> {
  const fetching = { signal, onNotice };
  // An adapter of a partner is merged as one of a policy is.
  const folder = await findModelPart({ model: 'default', policy: adapter }, 'policy', fetching);
  const policy = await loadPolicy(folder, undefined, fetching);
  if (!policy.adapter)
    throw new Error(`${adapter} is a whole checkpoint already: it has no adapter to merge.`);
  if ([policy.directory, policy.baseDirectory!].some((folder) => resolve(folder) === resolve(output)))
    throw new Error(`${output} is what is merged: give another folder as --output.`);
  await refuseToReplaceFolder(output, overwrite);
  const merged = mergeAdapter(policy);
  await using opened = openDevice(given);
  const result = await compareMerged(policy, merged, opened.device);
  signal?.throwIfAborted();
  if (!(result.difference <= result.tolerance))
    throw new Error(
      `after the merge the logits of ${adapter} differ by ${result.difference.toExponential(1)} from those of base and adapter, which is more than float32 explains (${result.tolerance.toExponential(1)}): nothing was written`,
    );
  // Another process may have written there meanwhile.
  await refuseToReplaceFolder(output, overwrite);
  await savePolicy(merged, output);
  return result;
});

/** Compares on random ids that are the same each time. */
export async function compareMerged(adapted: Model, merged: Model, device: Device): Promise<MergeResult> {
  const expected = await logitsOf(adapted, device);
  const logits = await logitsOf(merged, device);
  const layers = new Set([...adapterShapes(adapted, adapted.adapter!).keys()].map(weightOf));
  const rounded = new Map(merged.weights);
  for (const name of layers) rounded.set(name, moveLastBits(rounded.get(name)!, rounded.size));
  const noise = furthest(logits, await logitsOf({ ...merged, weights: rounded }, device));
  return { difference: furthest(logits, expected), tolerance: NOISES * noise };
}

const weightOf = (adapterWeight: string): string => adapterWeight.replace(/\.lora_[AB]\.weight$/, '.weight');

/** Each number moved by one unit in its last place, up or down at random. */
function moveLastBits<T extends { data: Float32Array }>(tensor: T, seed: number): T {
  const uniform = uniformStream(seed);
  const data = tensor.data.slice();
  const bits = new Int32Array(data.buffer);
  bits.forEach((value, i) => (bits[i] = value + (uniform() < 0.5 || data[i] === 0 ? 1 : -1)));
  return { ...tensor, data };
}

function furthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  // What is no number is further than any.
  for (let i = 0; i < a.length; i++) if (!(Math.abs(a[i] - b[i]) <= most)) most = Math.abs(a[i] - b[i]);
  return most;
}

/** All logits of two random completions of random prompts. */
async function logitsOf(model: Model, device: Device): Promise<HostArray> {
  const { architecture, config, weights } = model;
  const uniform = uniformStream(1);
  const room = Math.floor(config.max_position_embeddings / 2);
  const rows = (length: number) =>
    [0, 1].map(() =>
      Array.from({ length: Math.min(length, room) }, () => Math.floor(uniform() * config.vocab_size)),
    );
  const [prompts, completions] = [rows(PROMPT_IDS), rows(COMPLETION_IDS)];
  const sizes = {
    prompts: 2,
    samples: 1,
    promptLength: prompts[0].length,
    completionLength: completions[0].length,
  };
  const batch = architecture.batchInputs(config, sizes);
  const constant = new Set(buffersOf(model));
  const fed = new Map([...weights].filter(([name]) => !constant.has(name)));
  const constants = Object.fromEntries([...weights].filter(([name]) => constant.has(name)));
  const resident = await uploadWeights(fed, device);
  await using _resident = { [Symbol.asyncDispose]: () => resident.release() };
  const run = await compile(
    (tensors) => {
      const hidden = architecture.hiddenStates(config, tensors);
      return { logits: architecture.logits(tensors, tf.reshape(hidden, [-1, hidden.shape[2]!])) };
    },
    { ...weightSpecs(fed), ...batch.inputs },
    { device, constants: { ...constants, ...batch.constants } },
  );
  const arrays = architecture.collate(config, sizes, prompts, completions);
  const { logits } = await run({ ...resident.tensors, ...arrays }).finally(() => run.dispose());
  return logits;
}
