import { join } from 'node:path';
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
import { LARGEST_COUNT, ONE_REWARD, parseParameters, type Parameters } from '../run/parameters.js';
import { recordOf, type RunRecord } from '../run/run-files.js';
import { createWorkClock } from '../run/work-clock.js';
import { namedAfter } from './experiment.js';
import type { GivenWorkers } from '../farm/option.js';
import { openFarm, openQueue } from './open-farm.js';
import { openDevice, openModel, openPolicy, type GivenDevice } from './open.js';
import { refuseOwn, type OwnRecord } from './own-parts.js';
import { openPrompts, type PromptCounts } from './prompts.js';
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
  if (options.indices.length === 0)
    throw new Error('there are no prompts to evaluate: give at least one index');
  const wrong = options.indices.find((index) => !(Number.isInteger(index) && index >= 0));
  if (wrong !== undefined)
    throw new Error(`${wrong} is no index of a prompt: those are whole numbers from 0 on`);
  const { samplesPerPrompt: samples } = options;
  if (!Number.isInteger(samples) || samples < 1 || samples > LARGEST_COUNT)
    throw new Error(
      `the number of samples of each prompt must be a whole number from 1 to ${LARGEST_COUNT}, not ${samples}`,
    );
  const description = await describeEvaluation(parameters, options);
  const nameIn = (folder: string) => evaluationFileName(folder, description, options);
  let path = '';

  async function* evaluateInto(known?: { outputDirectory: string; name: string }): AsyncGenerator<RunEvent> {
    const { split, indices, samplesPerPrompt, iteration, record, signal, onNotice } = options;
    if (record) tellOfOwn(record, parameters, onNotice);
    const policy = await openPolicy(parameters, { signal, onNotice });
    const counts = promptsUpTo(indices.reduce((a, b) => Math.max(a, b)) + 1, split, parameters);
    const prompts = (await openPrompts(policy, parameters, counts, { signal, onNotice }))[split];
    await using opened = openDevice(options);
    const { device } = opened;
    const codec = () => model.codec;
    await using scorer = await openReward(parameters, options, { device, codec, signal, onNotice });
    const speaks = scorer.reward.listens ?? true;
    if (speaks && record) refuseOwn(record, ['codec'], SILENT);
    await using model = await openModel(policy, parameters, { device, speaks, signal, onNotice });
    const asked = { parameters, device, ...model, reward: scorer.reward };
    await using queue = await openQueue(asked, options);
    const { outputDirectory } = known ?? (await createRunDirectories(options.root, new Date()));
    path = join(outputDirectory, known?.name ?? (await nameIn(outputDirectory)));
    const clock = createWorkClock();
    const run = {
      ...model,
      reward: scorer.reward,
      parameters,
      directories: { outputDirectory },
      clock,
      signal,
    };
    const chosen = indices.map((index) => prompts[index]);
    await using farm = await openFarm(queue, run, path, policy.directory);
    const farmed = { ...run, farm: farm?.farm };
    const events = evaluateSplit(farmed, iteration, split, chosen, samplesPerPrompt);
    for await (const event of clock.whileRead(events)) {
      if (event.type === 'evaluated') await writeEvaluation(path, description, event);
      yield event;
    }
    farm?.setOver();
  }

  async function* evaluateLocked({ outputDirectory }: RunDirectories): AsyncGenerator<RunEvent> {
    const name = await nameIn(outputDirectory);
    const evaluating = async function* () {
      // Another process may have written the file before it was locked.
      const isFree = (await nameIn(outputDirectory)) === name;
      yield* isFree ? evaluateInto({ outputDirectory, name }) : evaluateLocked(options.directories!);
    };
    yield* whileLocked(outputDirectory, evaluating, name);
  }

  yield* options.directories ? evaluateLocked(options.directories) : evaluateInto();
  return path;
});

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

/** How many prompts of either split must be read. Of a dataset the first `trainPrompts` items train, and the held-out ones follow. */
function promptsUpTo(count: number, split: Split, { data, trainPrompts }: Parameters): PromptCounts {
  if (data === null) return split === 'train' ? { train: count, test: 0 } : { train: 0, test: count };
  if (split === 'test') return { train: trainPrompts, test: count };
  if (count > trainPrompts)
    throw new Error(
      `there is no train prompt ${count - 1}: the first ${trainPrompts} items of ${data} train, those after them are held out`,
    );
  return { train: trainPrompts, test: 0 };
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
  // An evaluation is one reward's; what only other rewards of a run know is left out.
  const own = { syntheticFirstIteration: false, ...given };
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
