import { join } from 'node:path';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { ORIGINAL, type RunEvent, type Split } from './events.js';
import { findCheckpoint, isRunCheckpoint } from './checkpoint-path.js';
import { createRunDirectories, type RunDirectories } from './directories.js';
import { evaluateSplit } from './evaluate.js';
import { withRun } from './experiment.js';
import { whileLocked } from './lock.js';
import { parseParameters, type Parameters } from './parameters.js';
import { readRecordedParameters } from './run-files.js';
import type { Run } from './run.js';

export interface CheckpointEvaluation {
  /** Which prompts of the prompts file are sampled. */
  split: Split;
  indices: readonly number[];
  /** Samples of each prompt. */
  samplesPerPrompt: number;
  /** Of the checkpoint; {@link ORIGINAL} for a policy that no run has trained. */
  iteration: number;
  /** Of the run that the evaluation is written to. */
  directories: RunDirectories;
  signal?: AbortSignal;
}

/**
 * Samples a checkpoint on chosen prompts and scores the samples with the parameters' reward. Writes `{metrics, rewards}` as
 * eval_{iteration}_{n}.json into the run's output directory, with the reward's name at the end unless it is mos, the original's.
 *
 * @param parameters `policy` is the checkpoint
 * @throws Error in one sentence for a model, prompt or scorer that is not there, or while another process makes this very evaluation,
 *   before anything is sampled
 */
export async function* evaluateCheckpoint(
  parameters: Parameters,
  { split, indices, samplesPerPrompt, iteration, directories, signal }: CheckpointEvaluation,
): AsyncGenerator<RunEvent> {
  if (indices.length === 0) throw new Error('there are no prompts to evaluate: give at least one index');
  const count = Math.max(...indices) + 1;
  const prompts =
    split === 'train' ? { trainPrompts: count, testPrompts: 1 } : { trainPrompts: 1, testPrompts: count };
  const needed: Parameters = { ...parameters, ...prompts, numEval: samplesPerPrompt };
  const file = evaluationFileName(iteration, samplesPerPrompt, parameters.reward);
  const evaluating = () =>
    withRun(needed, { root: '.', directories, signal }, async function* (run) {
      const chosen: Run = { ...run, [split]: indices.map((index) => run[split][index]) };
      for await (const event of evaluateSplit(chosen, iteration, split)) {
        if (event.type === 'evaluated') {
          const { statistics: metrics, rewards } = event;
          const json = JSON.stringify({ metrics, rewards }, null, 4) + '\n';
          await writeFileAtomic(join(directories.outputDirectory, file), json);
        }
        yield event;
      }
    });
  yield* whileLocked(directories.outputDirectory, evaluating, file);
}

/** The name of an evaluation's file: the original's for mos. */
export function evaluationFileName(
  iteration: number,
  samplesPerPrompt: number,
  reward: Parameters['reward'],
): string {
  const policy = iteration === ORIGINAL ? 'original' : String(iteration);
  return `eval_${policy}_${samplesPerPrompt}${reward === 'mos' ? '' : `_${reward}`}.json`;
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
