import { join } from 'node:path';
import { CpuDevice, type Device } from '../engine/index.js';
import { openCodec } from '../codec/open.js';
import type { DatasetItem } from '../data/item.js';
import { buffersOf } from '../policy/architecture.js';
import { splitTrained } from '../train/gradient-program.js';
import { checkTrainable } from '../train/training-state.js';
import { resolveModelDirectory } from '../package-root.js';
import { openPartner } from '../policy/partner.js';
import { packPrompt } from '../policy/pack.js';
import { loadPolicy, type Policy } from '../policy/policy.js';
import { checkUploadable } from '../policy/resident-weights.js';
import { openSampler } from '../policy/sample.js';
import { releaseAll } from '../release.js';
import { createRunDirectories, type RunDirectories } from '../run/directories.js';
import type { RunEvent } from '../run/events.js';
import { iterate } from '../experiment/iterate.js';
import { whileLocked } from '../run/lock.js';
import type { Parameters } from '../run/parameters.js';
import { loadPrompts, type Prompts } from '../data/prompts.js';
import { recordRun } from '../run/record.js';
import type { PackedPrompt, Run, SamplingRun } from '../experiment/run.js';
import { openScorers } from './scorers.js';
import { checkSameCodes, findModelPart, loadData } from './sources.js';
import { createWorkClock } from '../run/work-clock.js';

/** Where a run writes (new directories under `root`, unless some are given) and how it is ended. */
export interface RunOptions {
  root: string;
  directories?: RunDirectories;
  signal?: AbortSignal;
  /** Where the run computes; default: a CPU device of its own. */
  device?: Device;
}

/** Of a run that trains its policy, which takes five times the memory of sampling it. */
export interface WorkOptions extends RunOptions {
  trains?: boolean;
}

/**
 * Loads what the parameters name, makes the run's directories and runs `iterate()`, recorded.
 *
 * @throws Error in one sentence for a model, prompts file, scorer or folder that cannot be used, before anything is written
 */
export function runExperiment(parameters: Parameters, options: RunOptions): AsyncGenerator<RunEvent> {
  return withRun(parameters, { ...options, trains: true }, (run) =>
    whileLocked(run.directories.modelDirectory, () => recordRun(iterate(run), run)),
  );
}

/**
 * Opens what the parameters name, works on it, and closes it again.
 *
 * @throws Error in one sentence for a model, prompts file, scorer or folder that cannot be used, or a policy too large to train, before
 *   anything is written
 */
export function withRun(
  parameters: Parameters,
  options: WorkOptions,
  work: (run: Run) => AsyncGenerator<RunEvent>,
): AsyncGenerator<RunEvent> {
  return withSamplingRun(parameters, { ...options, sound: true }, (run) => work(run as Run));
}

/** As {@link withRun}; without `sound` partner and codec are not opened. */
export async function* withSamplingRun(
  parameters: Parameters,
  { root, signal, sound, trains = false, ...options }: WorkOptions & { sound: boolean },
  work: (run: SamplingRun) => AsyncGenerator<RunEvent>,
): AsyncGenerator<RunEvent> {
  const device = options.device ?? new CpuDevice();
  const { codec, partnerModel, ...inputs } = await loadInputs(parameters, { sound, trains }, device, signal);
  const partner = partnerModel && openPartner(partnerModel, device);
  const sampler = openSampler(inputs.policy, device);
  try {
    const scorers = await openScorers(parameters);
    try {
      const directories = options.directories ?? (await createRunDirectories(root, new Date()));
      const { reward, notices } = scorers;
      const guards = codec ? scorers.guards(codec) : [];
      const clock = createWorkClock();
      const events = work({
        ...inputs,
        device,
        parameters,
        directories,
        reward,
        guards,
        notices,
        codec,
        partner,
        sampler,
        clock,
        signal,
      });
      yield* clock.whileRead(events);
    } finally {
      await scorers.dispose();
    }
  } finally {
    await releaseAll([
      () => codec?.dispose(),
      () => partner?.dispose(),
      () => sampler.release(),
      () => (options.device ? undefined : device.close()),
    ]);
  }
}

/** Reads and checks every file that a run needs; the codec is opened last. */
async function loadInputs(
  parameters: Parameters,
  { sound, trains }: { sound: boolean; trains: boolean },
  device: Device,
  signal?: AbortSignal,
) {
  const policy = await loadPolicy(await findModelPart(parameters, 'policy', signal));
  if (trains) checkTrainable(splitTrained(policy.weights, buffersOf(policy)).trained, device);
  const partnerModel = sound ? await loadPolicy(await findModelPart(parameters, 'nar', signal)) : undefined;
  if (partnerModel) checkUploadable(partnerModel.weights, device);
  const { data, trainPrompts, testPrompts, instruction } = parameters;
  const prompts =
    data === null
      ? await loadModelPrompts(parameters, policy)
      : await loadData(data, policy, parameters, signal);
  const train = packPrompts(policy, prompts.train, trainPrompts, 'train prompt', instruction);
  const test = packPrompts(policy, prompts.test, testPrompts, 'test prompt', instruction);
  if (!partnerModel) return { policy, train, test };
  const codec = await openCodec(await findModelPart(parameters, 'codec', signal), device);
  try {
    checkSameCodes(policy, partnerModel, codec);
  } catch (error) {
    await codec.dispose();
    throw error;
  }
  return { policy, partnerModel, codec, train, test };
}

function loadModelPrompts({ model, prompts }: Parameters, policy: Policy): Promise<Prompts> {
  return loadPrompts(prompts ?? join(resolveModelDirectory(model), 'prompts.json'), policy.tokenizer);
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
