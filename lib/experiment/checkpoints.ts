/** A run's checkpoints: iter_k/dpo_model in its model directory. */
import { rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { remove, writeFileAtomic } from '../checkpoint/atomic.js';
import { savePolicy } from '../policy/policy.js';
import type { Evaluation } from './evaluate.js';
import { checkpointFolder, checkpointIn } from '../run/directories.js';
import type { RunEvent } from '../run/events.js';
import { describeCheckpoint } from './model-card.js';
import type { Run, TrainingRun } from './run.js';
import { betterOf, type BestIteration } from '../run/best-iteration.js';
import { tally } from './tally.js';
import { summarize } from '../run/statistics.js';

type Saved = Extract<RunEvent, { type: 'saved' }>;

/** Saves the policy as it is after an iteration. */
export async function saveCheckpoint(run: TrainingRun, iteration: number): Promise<Saved> {
  const startSeconds = run.clock.seconds();
  const directory = checkpointFolder(iteration);
  await savePolicy(run.policy, join(run.directories.modelDirectory, directory));
  return { type: 'saved', iteration, directory, seconds: run.clock.seconds() - startSeconds };
}

/**
 * Writes the model card of each evaluated checkpoint, and removes the checkpoints that `keepCheckpoints` lets go. Until the run finishes,
 * the last one stays too: a run that is resumed starts from it.
 *
 * @param earlier evaluations of a run that goes on
 */
export function createCheckpointKeeper(
  run: Run,
  original: Evaluation,
  earlier: readonly BestIteration[] = [],
) {
  const { keepCheckpoints } = run.parameters;
  const evaluated = [...earlier];
  const findBest = () => evaluated.reduce(betterOf).iteration;
  const removeAllBut = async (...kept: number[]) => {
    for (const { iteration } of evaluated) {
      if (kept.includes(iteration)) continue;
      const checkpoint = checkpointIn(run.directories, iteration);
      await remove(checkpoint);
      // What a person keeps beside it, such as a merged checkpoint, stays.
      await rmdir(dirname(checkpoint)).catch(() => undefined);
    }
  };

  return {
    async add(iteration: number, evaluation: Evaluation): Promise<void> {
      const card = await describeCheckpoint(run, iteration, original, evaluation);
      await writeFileAtomic(join(checkpointIn(run.directories, iteration), 'README.md'), card);
      evaluated.push({ iteration, reward: summarize(tally(evaluation.test).rewards).mean });
      if (keepCheckpoints === 'last') await removeAllBut(iteration);
      if (keepCheckpoints === 'best') await removeAllBut(iteration, findBest());
    },

    async finish(): Promise<void> {
      if (keepCheckpoints === 'best') await removeAllBut(findBest());
    },
  };
}
