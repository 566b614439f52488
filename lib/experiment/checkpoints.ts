/** A run's checkpoints: iter_k/dpo_model in its model directory. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { savePolicy } from '../policy/policy.js';
import type { Evaluation } from './evaluate.js';
import type { RunEvent } from './events.js';
import { describeCheckpoint } from './model-card.js';
import type { Run } from './run.js';
import { flatten } from './score.js';
import { summarize } from './statistics.js';

const checkpointDirectory = (iteration: number) => join(`iter_${iteration}`, 'dpo_model');

/** Saves the policy as it is after an iteration. */
export async function saveCheckpoint(run: Run, iteration: number): Promise<RunEvent> {
  const startMs = performance.now();
  const directory = checkpointDirectory(iteration);
  await savePolicy(run.policy, join(run.directories.modelDirectory, directory));
  return { type: 'saved', iteration, directory, seconds: (performance.now() - startMs) / 1000 };
}

/** Writes the model card of each evaluated checkpoint, and removes the checkpoints that `keepCheckpoints` lets go. */
export function createCheckpointKeeper(run: Run, original: Evaluation) {
  const { modelDirectory } = run.directories;
  const { keepCheckpoints } = run.parameters;
  let kept: { iteration: number; reward: number } | undefined;
  const remove = (iteration: number) =>
    rm(join(modelDirectory, `iter_${iteration}`), { recursive: true, force: true });

  return {
    async add(iteration: number, evaluation: Evaluation): Promise<void> {
      const card = await describeCheckpoint(run, iteration, original, evaluation);
      await writeFileAtomic(join(modelDirectory, checkpointDirectory(iteration), 'README.md'), card);
      if (keepCheckpoints === 'all') return;
      const reward = summarize(flatten(evaluation.test).rewards).mean;
      if (keepCheckpoints === 'best' && kept && reward <= kept.reward) return remove(iteration);
      if (kept) await remove(kept.iteration);
      kept = { iteration, reward };
    },
  };
}
