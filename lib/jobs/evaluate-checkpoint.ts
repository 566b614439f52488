import { basename, dirname, join } from 'node:path';
import { evaluateSplit } from '../experiment/evaluate.js';
import type { Reward } from '../reward/reward.js';
import { checkpointOf } from '../run/checkpoint-path.js';
import { createRunDirectories, type RunDirectories } from '../run/directories.js';
import {
  describeEvaluation,
  evaluationFileName,
  writeEvaluation,
  type CheckpointEvaluation,
} from '../run/evaluation-result.js';
import { ORIGINAL, type RunEvent, type Split } from '../run/events.js';
import { whileLocked } from '../run/lock.js';
import { LARGEST_COUNT, parseParameters, type Parameters } from '../run/parameters.js';
import { ONE_REWARD } from '../run/reward-parameters.js';
import { recordOf, type RunRecord } from '../run/run-files.js';
import { createWorkClock } from '../run/work-clock.js';
import type { GivenWorkers } from '../farm/option.js';
import { openFarm, openQueue } from './open-farm.js';
import { openDevice, openModel, openPolicy, type GivenDevice } from './open.js';
import { namedAfter, refuseOwn, type OwnRecord } from './own-parts.js';
import { checkPartnerReads, openPrompts, type PromptCounts } from './prompts.js';
import { openReward, withRecognizer } from './scorers.js';
import type { OnNotice } from '../notice.js';
import { yieldingFirst } from '../plain-error.js';

/** What an evaluation is of, where it goes and how it is ended. */
export interface EvaluationOptions extends CheckpointEvaluation, GivenDevice, GivenWorkers {
  /** Gets new folders for the result where the policy is no run's. */
  root: string;
  /** In place of the one that the parameters name; the evaluation is written under its name. */
  reward?: Reward;
  /** A person's own rewards that the parameters name, alone or beside others. */
  rewards?: readonly Reward[];
  /** The record of the run that `directories` are of: without the parts that a program gave it, the evaluation is another one, or is refused. */
  record?: OwnRecord;
  signal?: AbortSignal;
  /** Is told of downloads. */
  onNotice?: OnNotice;
}

/**
 * Samples a checkpoint on chosen prompts and scores the samples with the parameters' reward. Writes `{evaluation, metrics, rewards,
 * dropped}` into the output directory of the checkpoint's run, or of a new one, as the file that `evaluationFileName` names: other
 * evaluations stay beside it, the same one is written again. Partner and codec are opened only where the reward listens.
 *
 * @param given `policy` is the checkpoint; those of models, prompts, sampling and reward count
 * @returns the file's path
 * @throws Error in one sentence for a number of samples that is none, a model, prompt or scorer that is not there, a reward that listens to a run
 *   with a codec of its own, or while another process makes this very evaluation, before anything is sampled or a folder made
 */
export const evaluateCheckpoint = yieldingFirst(async function* (
  given: Parameters,
  options: EvaluationOptions,
): AsyncGenerator<RunEvent, string> {
  const parameters = withRecognizer(namedAfter(given, options.reward));
  checkAsked(options);
  const description = await describeEvaluation(parameters, options);
  const pathIn = async (folder: string) =>
    join(folder, await evaluationFileName(folder, description, options));
  if (!options.directories)
    return yield* evaluateInto(parameters, options, description, async () => {
      const { outputDirectory } = await createRunDirectories(options.root, new Date(), options.signal);
      return pathIn(outputDirectory);
    });
  const { outputDirectory } = options.directories;
  for (;;) {
    const path = await pathIn(outputDirectory);
    const evaluating = async function* () {
      // Another process may have written the file before it was locked.
      if ((await pathIn(outputDirectory)) !== path) return undefined;
      return yield* evaluateInto(parameters, options, description, () => path);
    };
    const written = yield* whileLocked(outputDirectory, evaluating, basename(path));
    if (written !== undefined) return written;
  }
});

function checkAsked({ split, indices, samplesPerPrompt }: EvaluationOptions): void {
  // A program in JavaScript may give anything.
  if (split !== 'train' && split !== 'test')
    throw new Error(`there are no prompts of the split "${String(split)}": give train or test`);
  if (indices.length === 0) throw new Error('there are no prompts to evaluate: give at least one index');
  const wrong = indices.find((index) => !(Number.isInteger(index) && index >= 0));
  if (wrong !== undefined)
    throw new Error(`${wrong} is no index of a prompt: those are whole numbers from 0 on`);
  if (!Number.isInteger(samplesPerPrompt) || samplesPerPrompt < 1 || samplesPerPrompt > LARGEST_COUNT)
    throw new Error(
      `the number of samples of each prompt must be a whole number from 1 to ${LARGEST_COUNT}, not ${samplesPerPrompt}`,
    );
}

/** @param findPath is asked once all parts are open: a folder is made for what can be evaluated alone */
async function* evaluateInto(
  parameters: Parameters,
  options: EvaluationOptions,
  description: Record<string, unknown>,
  findPath: () => string | Promise<string>,
): AsyncGenerator<RunEvent, string> {
  const { split, indices, samplesPerPrompt, iteration, record, signal, onNotice } = options;
  if (record) tellOfOwn(record, parameters, onNotice);
  const policy = await openPolicy(parameters, { signal, onNotice });
  const { asked, ...counts } = promptsUpTo(indices.reduce((a, b) => Math.max(a, b)) + 1, split, parameters);
  const prompts = (await openPrompts(policy, parameters, counts, { asked, signal, onNotice }))[split];
  await using opened = openDevice(options);
  const { device } = opened;
  // Opened after the reward, which says whether it listens.
  const codec = () => model.codec;
  await using scorer = await openReward(parameters, options, { device, codec, signal, onNotice });
  const { reward } = scorer;
  const speaks = reward.listens ?? true;
  if (speaks && record) refuseOwn(record, ['codec'], SILENT);
  await using model = await openModel(policy, parameters, { device, speaks, signal, onNotice });
  const chosen = indices.map((index) => prompts[index]);
  for (const { index, item } of chosen)
    if (model.partner) checkPartnerReads(model.partner, item, `${split} prompt ${index}`);
  await using queue = await openQueue({ parameters, device, ...model, reward }, options);
  const path = await findPath();
  const clock = createWorkClock();
  const directories = { outputDirectory: dirname(path) };
  const run = { ...model, reward, parameters, directories, clock, signal };
  await using farm = await openFarm(queue, run, path, policy.directory);
  const events = evaluateSplit({ ...run, farm: farm?.farm }, iteration, split, chosen, samplesPerPrompt);
  for await (const event of clock.whileRead(events)) {
    if (event.type === 'evaluated') await writeEvaluation(path, description, event);
    yield event;
  }
  farm?.setOver();
  return path;
}

const SILENT = '; by a reward that does not listen, as length, they can be scored';

/** What a run was given that its checkpoint is evaluated without: the figures are not those of the run's own evaluations. */
function tellOfOwn(
  { run, own = [] }: OwnRecord,
  { model, prompts, data }: Parameters,
  tell?: OnNotice,
): void {
  const given = (part: string) => `run ${run} was given its ${part} by the program that made it`;
  if (own.includes('prompts'))
    tell?.(`${given('prompts')}: this evaluation is on those of ${data ?? prompts ?? `the model ${model}`}.`);
  if (own.includes('sampler'))
    tell?.(`${given('sampler')}: this evaluation samples the policy as a run without one does.`);
}

/**
 * How many prompts of either split must be read, and what is asked for, in words. Of a dataset the first `trainPrompts` items train, and the
 * held-out ones follow.
 */
function promptsUpTo(
  count: number,
  split: Split,
  { data, trainPrompts }: Parameters,
): PromptCounts & { asked: string } {
  const asked = (from: string) => `${split} prompt ${count - 1}, counted from 0${from}, is`;
  if (split === 'test' && data !== null)
    return { train: trainPrompts, test: count, asked: asked(` after the first ${trainPrompts} items`) };
  if (data !== null && count > trainPrompts)
    throw new Error(
      `there is no train prompt ${count - 1}: the first ${trainPrompts} items of ${data} train, those after them are held out`,
    );
  return { train: 0, test: 0, [split]: count, asked: asked('') };
}

/**
 * What to evaluate a checkpoint with, and where the result goes: the parameters, folders and record of the run that wrote it; for a policy
 * that is no run's (a folder, a hub name) the defaults alone.
 *
 * @param given in place of the run's own parameters
 */
export async function checkpointParameters(
  path: string,
  given: Partial<Parameters>,
): Promise<{ parameters: Parameters; iteration: number; directories?: RunDirectories; record?: RunRecord }> {
  // An evaluation is one reward's, and trains nothing: what only other rewards of a run know is left out, and the reference of its training.
  const own = { syntheticFirstIteration: false, reference: 'start' as const, ...given };
  const isOther = (reward?: string) => given.reward !== undefined && given.reward !== reward;
  const checkpoint = checkpointOf(path);
  if (!checkpoint) {
    return {
      parameters: parseParameters({ ...own, policy: path === 'default' ? null : path }),
      iteration: ORIGINAL,
    };
  }
  const { policy, iteration, directories } = checkpoint;
  const record = await recordOf(directories.modelDirectory);
  const recorded = record?.parameters;
  const combination = isOther(recorded?.reward) ? ONE_REWARD : {};
  return {
    parameters: parseParameters({ ...recorded, ...combination, ...own, policy }),
    iteration,
    directories,
    record,
  };
}
