import { join } from 'node:path';
import { loadPretrained } from '../policy/pretrained.js';
import { namedLoss } from '../dpo/losses/named.js';
import type { Reference } from '../dpo/reference.js';
import { trainDpo } from '../dpo/trainer.js';
import { createAudioExamples, readAudioIndex } from './audio-examples.js';
import { createCheckpointKeeper, saveCheckpoint } from './checkpoints.js';
import { evaluate } from './evaluate.js';
import { writeEvaluations } from './evaluations-file.js';
import { ORIGINAL, type RunEvent } from '../run/events.js';
import { keepBatch } from '../run/inspection-files.js';
import { describeRunDevice } from '../run/run-files.js';
import { preparePairs } from './prepare-pairs.js';
import type { ResumePoint } from './resume-point.js';
import type { Run, TrainingRun } from './run.js';
import { deriveSeed } from './sample.js';
import { pairsOf, type TrainingPair } from './training-pairs.js';
import { readTraining, removeTraining, saveTraining } from '../run/training-checkpoints.js';

/**
 * Iterative DPO: evaluates the policy as it is, then `iterations` times samples it, pairs the best with the worst samples, trains it on the
 * pairs, saves and evaluates it. The reference policy of each iteration is the policy at its start. Trains `run.policy` in place; writes
 * data_iter_k.json, iter_k/dpo_model, WAV files and audio.json into the run's directories.
 *
 * @param resumed what is complete already; `run.policy` is then the policy of that point. Default: nothing is
 * @throws the signal's reason when aborted; whatever is written by then is complete
 */
export async function* iterate(run: Run, resumed?: ResumePoint): AsyncGenerator<RunEvent> {
  const { directories, parameters, clock } = run;
  const startSeconds = clock.seconds();
  if (!resumed) {
    const { name, outputDirectory, modelDirectory } = directories;
    const device = run.computing && { device: describeRunDevice(run.computing) };
    yield { type: 'started', run: name, outputDirectory, modelDirectory, ...device };
    for (const message of run.notices) yield { type: 'notice', message };
  }
  const audio = createAudioExamples(run, resumed && (await readAudioIndex(directories.outputDirectory)));
  if (!resumed) await audio.addPrompts();
  const original = resumed?.original ?? (yield* evaluate(run, ORIGINAL));
  if (!resumed) await writeEvaluations(directories, { original });
  const checkpoints = createCheckpointKeeper(run, original, resumed?.evaluated);
  let trained = resumed?.trained ?? original;
  for (let iteration = resumed?.iteration ?? 0; iteration < parameters.iterations; iteration++) {
    const done = iteration === resumed?.iteration ? resumed : undefined;
    if (!done?.saved) {
      const pairs = done?.rows ? pairsOf(run, done.rows) : yield* preparePairs(run, iteration);
      await audio.addPairs(iteration, pairs);
      if (pairs.length > 0) {
        // Training needs the memory.
        await run.sampler.release();
        await run.partner.releaseWeights();
        yield* train(run, iteration, pairs, done?.trainedSteps);
      }
      run.signal?.throwIfAborted();
      const saved = await saveCheckpoint(run, iteration);
      run.farm?.policySaved(join(directories.modelDirectory, saved.directory));
      yield saved;
    }
    await removeTraining(directories, iteration);
    trained = yield* evaluate(run, iteration, original);
    await checkpoints.add(iteration, trained);
    await writeEvaluations(directories, { original, last: { iteration, evaluation: trained } });
  }
  await audio.addComparison(original, trained);
  await checkpoints.finish();
  yield { type: 'finished', seconds: clock.seconds() - startSeconds };
}

/**
 * Trains `run.policy` in place on an iteration's pairs. Every `checkpointMinutes`, and when aborted, the training's state is saved to go
 * on from.
 *
 * @param trainedSteps goes on after this optimizer step, whose state was saved
 */
export async function* train(
  run: TrainingRun,
  iteration: number,
  pairs: readonly TrainingPair[],
  trainedSteps?: number,
): AsyncGenerator<RunEvent> {
  const { learningRate, epochs, batchSize } = run.parameters;
  const { gradientAccumulationSteps, maxGradNorm, validationShare } = run.parameters;
  const { directories, signal } = run;
  const isDue = createTimer(run.parameters.checkpointMinutes);
  const ids = pairs.map((pair) => pair.ids);
  const events = trainDpo(run.policy, ids, {
    device: run.device,
    loss: namedLoss(run.parameters),
    reference: await openReference(run, iteration),
    learningRate,
    epochs,
    batchSize,
    gradientAccumulationSteps,
    maxGradNorm,
    validationShare,
    seed: deriveSeed(run.parameters.seed, iteration, 'train'),
    signal,
    resumeFrom:
      trainedSteps === undefined ? undefined : await readTraining(directories, iteration, trainedSteps),
    async afterStep(_, snapshot) {
      if (isDue() || signal?.aborted) await saveTraining(directories, iteration, snapshot);
    },
  });
  for await (const event of events) {
    const { epoch, step } = event;
    if (event.type === 'step') {
      yield { type: 'step', iteration, epoch, step, steps: event.steps, metrics: event.metrics };
    } else if (event.type === 'validated') {
      yield { type: 'validated', iteration, epoch, step, metrics: event.metrics };
    } else {
      const rows = pairs.map(({ row }) => row);
      const file = await keepBatch(directories.outputDirectory, iteration, rows, event);
      throw new Error(`${event.reason}; nothing of it was saved, the pairs that gave it are in ${file}`);
    }
  }
}

/** The reference that the parameters name; the run's first policy is read from where the run's policy came from. */
async function openReference({ parameters, policy }: TrainingRun, iteration: number): Promise<Reference> {
  const { reference, referenceSteps, referenceMixup } = parameters;
  if (reference === 'moving') return { everySteps: referenceSteps, mixup: referenceMixup };
  if (reference === 'none') return 'none';
  if (reference === 'start' || iteration === 0) return 'start';
  return loadPretrained(policy.directory, [policy.architecture]);
}

/** Whether that many minutes have gone since it last said so. */
function createTimer(minutes: number): () => boolean {
  let startMs = performance.now();
  return () => {
    const now = performance.now();
    if (now - startMs < minutes * 60_000) return false;
    startMs = now;
    return true;
  };
}
