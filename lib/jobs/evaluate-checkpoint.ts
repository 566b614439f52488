import { join } from 'node:path';
import { ORIGINAL, type RunEvent, type Split } from '../run/events.js';
import { findCheckpoint, isRunCheckpoint } from '../run/checkpoint-path.js';
import { createRunDirectories, type RunDirectories } from '../run/directories.js';
import { evaluateSplit } from '../experiment/evaluate.js';
import {
  describeEvaluation,
  evaluationFileName,
  writeEvaluation,
  type CheckpointEvaluation,
} from '../run/evaluation-result.js';
import { withSamplingRun } from './experiment.js';
import { whileLocked } from '../run/lock.js';
import { parseParameters, type Parameters } from '../run/parameters.js';
import { readRecordedParameters } from '../run/run-files.js';
import type { SamplingRun } from '../experiment/run.js';

/**
 * Samples a checkpoint on chosen prompts and scores the samples with the parameters' reward. Writes `{evaluation, metrics, rewards,
 * dropped}` into the run's output directory, as the file that `evaluationFileName` names: other evaluations stay beside it, the same one
 * is written again. Partner and codec are opened only where the reward listens.
 *
 * @param parameters `policy` is the checkpoint
 * @throws Error in one sentence for a model, prompt or scorer that is not there, or while another process makes this very evaluation,
 *   before anything is sampled
 */
export async function* evaluateCheckpoint(
  parameters: Parameters,
  evaluation: CheckpointEvaluation,
): AsyncGenerator<RunEvent> {
  const { split, indices, samplesPerPrompt, iteration, directories, signal } = evaluation;
  if (indices.length === 0) throw new Error('there are no prompts to evaluate: give at least one index');
  const needed: Parameters = {
    ...parameters,
    ...promptsUpTo(Math.max(...indices) + 1, split, parameters),
    numEval: samplesPerPrompt,
  };
  const file = await evaluationFileName(parameters, evaluation);
  const description = await describeEvaluation(parameters, evaluation);
  const sound = parameters.reward === 'mos';
  const evaluating = async function* () {
    // Another process may have written the file before it was locked.
    if ((await evaluationFileName(parameters, evaluation)) !== file)
      return yield* evaluateCheckpoint(parameters, evaluation);
    yield* withSamplingRun(needed, { root: '.', directories, signal, sound }, async function* (run) {
      const chosen: SamplingRun = { ...run, [split]: indices.map((index) => run[split][index]) };
      for await (const event of evaluateSplit(chosen, iteration, split)) {
        if (event.type === 'evaluated')
          await writeEvaluation(join(directories.outputDirectory, file), description, event);
        yield event;
      }
    });
  };
  yield* whileLocked(directories.outputDirectory, evaluating, file);
}

/** How many prompts of either split must be read. Of a dataset the first `trainPrompts` items train, and the held-out ones follow. */
function promptsUpTo(
  count: number,
  split: Split,
  { data, trainPrompts }: Parameters,
): Pick<Parameters, 'trainPrompts' | 'testPrompts'> {
  if (data === null)
    return split === 'train'
      ? { trainPrompts: count, testPrompts: 0 }
      : { trainPrompts: 0, testPrompts: count };
  if (split === 'test') return { trainPrompts, testPrompts: count };
  if (count > trainPrompts)
    throw new Error(
      `there is no train prompt ${count - 1}: the first ${trainPrompts} items of ${data} train, those after them are held out`,
    );
  return { trainPrompts, testPrompts: 0 };
}

/**
 * What to evaluate a checkpoint with, and where the result goes: the parameters and folders of the run that wrote it. Of a policy that is
 * no run's (a folder, a hub name) the defaults, and new folders under `root`.
 *
 * @param given in place of the run's own parameters
 */
export async function checkpointParameters(
  path: string,
  given: Partial<Parameters>,
  root: string,
): Promise<{ parameters: Parameters; iteration: number; directories: RunDirectories }> {
  // An evaluation is one reward's; guards belong to runs.
  const own = { ...given, guard: false, guardPairs: false };
  if (!isRunCheckpoint(path)) {
    const parameters = parseParameters({ ...own, policy: path === 'default' ? null : path });
    return { parameters, iteration: ORIGINAL, directories: await createRunDirectories(root, new Date()) };
  }
  const { policy, iteration, directories } = findCheckpoint(path);
  const recorded = await readRecordedParameters(directories.modelDirectory);
  const parameters = parseParameters({ ...recorded, syntheticFirstIteration: false, ...own, policy });
  return { parameters, iteration, directories };
}
