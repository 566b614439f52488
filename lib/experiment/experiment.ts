import { join } from 'node:path';
import { loadSpectralCodec } from '../codec/spectral/checkpoint.js';
import { createSpectralCodec } from '../codec/spectral/codec.js';
import type { DatasetItem } from '../codec/codec.js';
import { openPartner } from '../policy/nar.js';
import { packPrompt } from '../policy/pack.js';
import { loadPolicy, type Policy } from '../policy/policy.js';
import { createRunDirectories } from './directories.js';
import type { RunEvent } from './events.js';
import { iterate } from './iterate.js';
import { resolveModelDirectory } from './package.js';
import type { Parameters } from './parameters.js';
import { loadPrompts } from './prompts.js';
import { recordRun } from './record.js';
import type { PackedPrompt, Run } from './run.js';
import { openScorers } from './scorers.js';

/**
 * Loads what the parameters name, makes the run's directories under `root` and runs `iterate()`, recorded.
 *
 * @throws Error in one sentence for a model, prompts file, scorer or folder that cannot be used, before anything is written
 */
export async function* runExperiment(
  parameters: Parameters,
  options: { root: string; signal?: AbortSignal },
): AsyncGenerator<RunEvent> {
  const { signal } = options;
  const { codecModel, ...inputs } = await loadInputs(parameters);
  const scorers = await openScorers(parameters);
  try {
    const directories = await createRunDirectories(options.root, new Date());
    const codec = await createSpectralCodec(codecModel);
    const nar = openPartner(inputs.nar);
    try {
      const { reward, notices } = scorers;
      const guards = scorers.guards(codec);
      const run: Run = { ...inputs, parameters, directories, reward, guards, notices, codec, nar, signal };
      yield* recordRun(iterate(run), run);
    } finally {
      await nar.dispose();
      await codec.dispose();
    }
  } finally {
    await scorers.dispose();
  }
}

/** Reads and checks every file that a run needs. */
async function loadInputs(parameters: Parameters) {
  const model = resolveModelDirectory(parameters.model);
  const policy = await loadPolicy(parameters.policy ?? join(model, 'policy'));
  const nar = await loadPolicy(join(model, 'nar'));
  const prompts = await loadPrompts(parameters.prompts ?? join(model, 'prompts.json'), policy.tokenizer);
  const pack = (split: 'train' | 'test', count: number) =>
    packPrompts(policy, prompts[split], count, `${split} prompt`, parameters.instruction);
  const train = pack('train', parameters.trainPrompts);
  const test = pack('test', parameters.testPrompts);
  const codecModel = await loadSpectralCodec(join(model, 'codec'));
  return { policy, nar, codecModel, train, test };
}

function packPrompts(
  policy: Policy,
  items: readonly DatasetItem[],
  count: number,
  label: string,
  instruction: string | null,
): PackedPrompt[] {
  if (items.length < count) {
    throw new Error(`${count} ${label}s are asked for, the prompts file has ${items.length}`);
  }
  return items.slice(0, count).map((original, index) => {
    const item = instruction === null ? original : { ...original, instruction };
    try {
      return { item, ids: packPrompt(policy, item.instruction, item.src_encodec[0]) };
    } catch (error) {
      throw new Error(`${label} ${index}: ${(error as Error).message}`);
    }
  });
}
