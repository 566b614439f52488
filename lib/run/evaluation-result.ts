/** eval_{iteration}_{samples}.json: what an evaluation of a checkpoint found, and which evaluation it was. */
import { join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { readChecksums } from '../checkpoint/checksums.js';
import { exists } from '../checkpoint/files.js';
import { readJsonFile } from '../checkpoint/json-file.js';
import type { Device } from '../engine/index.js';
import { hearsWords } from '../reward/built-in.js';
import { partNames } from '../reward/combination.js';
import type { RunDirectories } from './directories.js';
import { ORIGINAL, type RunEvent, type Split } from './events.js';
import { readVersions } from './versions.js';
import { samplingParameters, type Parameters } from './parameters.js';
import { namedCombination } from './reward-parameters.js';

/** Which evaluation it is. */
export interface CheckpointEvaluation {
  /** Which prompts of the prompts file are sampled. */
  split: Split;
  indices: readonly number[];
  /** Samples of each prompt. */
  samplesPerPrompt: number;
  /** The iteration that wrote the checkpoint; {@link ORIGINAL} for a policy that no run has trained. */
  iteration: number;
  /** The folders of the checkpoint's run; absent for a policy from elsewhere. */
  directories?: RunDirectories;
}

/** Everything that an evaluation's numbers depend on, as JSON. */
export async function describeEvaluation(
  parameters: Parameters,
  {
    split,
    indices,
    samplesPerPrompt,
    directories,
    device,
  }: Omit<CheckpointEvaluation, 'iteration'> & { device?: Pick<Device, 'name' | 'description'> },
): Promise<Record<string, unknown>> {
  const { reward, rewardModel, transcriber, policy, data, trainPrompts } = parameters;
  const { model, nar, codec, prompts, instruction, seed } = parameters;
  const combination = namedCombination(parameters);
  const isRuns = directories !== undefined && policy !== null;
  return {
    // Relative, so that a run may be moved.
    checkpoint: isRuns ? relative(directories.modelDirectory, policy) : (policy ?? 'default'),
    weightsSha256: isRuns ? await weightsChecksum(policy) : null,
    reward,
    rewardModel: partNames(reward).includes('mos') ? rewardModel : null,
    ...(combination && { combination }),
    ...(hearsWords(reward) && { transcriber }),
    split,
    indices: [...indices],
    samplesPerPrompt,
    seed,
    ...Object.fromEntries(samplingParameters.map((name) => [name, parameters[name]])),
    ...(parameters.int8 && { int8: true }),
    model,
    nar,
    codec,
    prompts,
    instruction,
    data,
    trainPrompts: data === null ? null : trainPrompts,
    // Another device rounds otherwise, and so may sample other tokens.
    ...(device && device.name !== 'cpu' && { device: device.description }),
    versions: await readVersions(),
  };
}

/**
 * Names the file of an evaluation: eval_{iteration}_{samples}.json as in the research code, with the reward's name at the end unless it is mos.
 * Where the file of that name holds another evaluation, or does not say which one it holds, the name gets `-2`, `-3`, ...
 *
 * @param description of `describeEvaluation`
 * @returns the name of the file in the output directory that holds this evaluation, or will
 */
export async function evaluationFileName(
  outputDirectory: string,
  description: Record<string, unknown>,
  { iteration, samplesPerPrompt }: Pick<CheckpointEvaluation, 'iteration' | 'samplesPerPrompt'>,
): Promise<string> {
  const policy = iteration === ORIGINAL ? 'original' : String(iteration);
  const reward = String(description.reward);
  const stem = `eval_${policy}_${samplesPerPrompt}${reward === 'mos' ? '' : `_${reward}`}`;
  for (let number = 1; ; number++) {
    const name = `${stem}${number === 1 ? '' : `-${number}`}.json`;
    const path = join(outputDirectory, name);
    if (!(await exists(path)) || isDeepStrictEqual(await readDescription(path), description)) return name;
  }
}

/**
 * Writes `{evaluation, metrics, rewards, dropped}`: which evaluation it is, statistics, the reward of each scored sample, and why the
 * others have none.
 */
export async function writeEvaluation(
  path: string,
  description: Record<string, unknown>,
  { statistics: metrics, rewards, droppedReasons: dropped }: Extract<RunEvent, { type: 'evaluated' }>,
): Promise<void> {
  const content = { evaluation: description, metrics, rewards, dropped };
  await writeFileAtomic(path, JSON.stringify(content, null, 4) + '\n');
}

const fileSchema = z.looseObject({ evaluation: z.record(z.string(), z.unknown()) });

/** Undefined where a file does not say which evaluation it holds. */
async function readDescription(path: string): Promise<unknown> {
  const content = await readJsonFile(path).catch(() => undefined);
  return fileSchema.safeParse(content).data?.evaluation;
}

/** From the manifest of a checkpoint; null where it has none. */
async function weightsChecksum(policy: string): Promise<string | null> {
  return (await readChecksums(policy)).get('model.safetensors') ?? null;
}
