import { basename, dirname } from 'node:path';
import { saveCheckpoint } from '../experiment/checkpoints.js';
import { iterationOfDataFile, packPairs, writeDataFile } from '../run/data-file.js';
import { createRunDirectories } from '../run/directories.js';
import type { RunEvent } from '../run/events.js';
import type { RunOptions } from './experiment.js';
import { train } from '../experiment/iterate.js';
import { largestOf } from '../largest.js';
import { yieldingFirst } from '../plain-error.js';
import { whileLocked } from '../run/lock.js';
import { readPairsFile } from '../run/pairs-file.js';
import { parseParameters, type Parameters } from '../run/parameters.js';
import { recordRun } from '../run/record.js';
import { describeRunDevice, recordOf, teacherOf } from '../run/run-files.js';
import { removeTraining } from '../run/training-checkpoints.js';
import type { TrainingRun } from '../experiment/run.js';
import type { TrainingPair } from '../experiment/training-pairs.js';
import { checkTrainingFits, openDevice } from './open.js';
import { openPolicyToTrain } from './policy-to-train.js';
import { withAbsolutePaths } from './sources.js';
import { createWorkClock } from '../run/work-clock.js';
import { withTensorBoard } from '../tensorboard/tensorboard.js';

/**
 * Trains a checkpoint on the preference pairs of any data_iter_k.json, on TRL's preference data (docs/trl.md), or on the votes that a
 * blind-listening page exported, in a run of its own: the pairs are written there too, and the policy as iter_k/dpo_model. Of one run's
 * checkpoint k - 1 and its data_iter_k.json, with that run's seed and parameters, this makes the run's own checkpoint k, bit for bit.
 *
 * @param dataFile k is taken from its name, 0 where it has none
 * @param given `policy` is the checkpoint (null: the model's own policy), and nothing else is opened; the parameters of sampling and
 *   evaluating are only recorded
 * @throws Error in one sentence for a file or parameter that cannot be used, before anything is written
 */
export const trainFrom = yieldingFirst(async function* (
  dataFile: string,
  given: Parameters,
  options: RunOptions,
): AsyncGenerator<RunEvent> {
  const parameters = withAbsolutePaths(given);
  if (parameters.reference === 'first')
    throw new Error(
      'the reference "first" is the policy that a run began with, which a training on given pairs does not know: take --reference start',
    );
  const { rows, notices } = await readPairsFile(dataFile);
  for (const notice of notices) options.onNotice?.(notice);
  const number = iterationOfDataFile(basename(dataFile));
  const iteration = number ?? 0;
  const maker = number === undefined ? undefined : await recordOf(dirname(dataFile));
  const pairsReward = maker && teacherOf(maker);
  const { root, signal, onNotice } = options;
  await using opened = openDevice(options);
  const { device, computing } = opened;
  const policy = await openPolicyToTrain(parameters, device, { signal, onNotice });
  // Says what the policy cannot read before a folder is made.
  const packed = packPairs(policy, rows, dataFile);
  const lengths = {
    prompt: largestOf(packed.map(({ prompt }) => prompt.length)),
    completion: largestOf(packed.flatMap(({ chosen, rejected }) => [chosen.length, rejected.length])),
  };
  checkTrainingFits(policy, parameters, lengths, device);
  const pairs = rows.map((row, index): TrainingPair => ({ row, ids: packed[index] }));
  const directories = options.directories ?? (await createRunDirectories(root, new Date(), signal));
  const clock = createWorkClock();
  const run: TrainingRun = { device, computing, parameters, directories, policy, clock, signal };
  // What is recorded is one iteration that nothing guards. Prompts stay as they were: an evaluation of the checkpoint must know which ones
  // were trained on.
  const earlyStopping = parameters.earlyStopping === 'guard' ? 'none' : parameters.earlyStopping;
  const asked = { ...parameters, iterations: 1, guard: false, earlyStopping };
  const recorded = { ...run, pairsReward, parameters: asked };
  const recording = () => recordRun(withTensorBoard(trainOnce(run, iteration, pairs), run), recorded);
  yield* clock.whileRead(whileLocked(directories.modelDirectory, recording));
});

/**
 * Parameters to train on a data file with: those of the run that made it (where its run.json is at hand), with the given ones in their
 * place.
 *
 * @throws Error in one sentence for parameters that are wrong, or that no training on given pairs has a use for
 */
export async function trainingParameters(dataFile: string, given: Partial<Parameters>): Promise<Parameters> {
  if (given.earlyStopping === 'guard')
    throw new Error(
      'early stopping by a guard ends a run, and a training on given pairs has no guard: take none, accuracy or loss',
    );
  return parseParameters({ ...(await recordOf(dirname(dataFile)))?.parameters, ...given });
}

async function* trainOnce(
  run: TrainingRun,
  iteration: number,
  pairs: readonly TrainingPair[],
): AsyncGenerator<RunEvent> {
  const startSeconds = run.clock.seconds();
  const { name, outputDirectory, modelDirectory } = run.directories;
  const device = run.computing && { device: describeRunDevice(run.computing) };
  yield { type: 'started', run: name, outputDirectory, modelDirectory, ...device };
  const rows = pairs.map(({ row }) => row);
  await writeDataFile(outputDirectory, iteration, rows);
  const trainsFrom = run.clock.seconds();
  try {
    yield* train(run, iteration, pairs);
  } finally {
    // Only whole runs are resumed.
    await removeTraining(run.directories, iteration);
  }
  const trainingSeconds = run.clock.seconds() - trainsFrom;
  run.signal?.throwIfAborted();
  yield { ...(await saveCheckpoint(run, iteration)), trainingSeconds };
  yield { type: 'finished', seconds: run.clock.seconds() - startSeconds };
}
