import { join } from 'node:path';
import { loadPretrained } from '../policy/pretrained.js';
import { namedLoss } from '../dpo/losses/named.js';
import type { Reference } from '../dpo/reference.js';
import { trainDpo } from '../dpo/trainer.js';
import { meanOf } from '../mean.js';
import { earlyStopping } from '../train/early-stopping.js';
import { createAudioExamples } from './audio-examples.js';
import { createCheckpointKeeper, saveCheckpoint } from './checkpoints.js';
import { divergence } from './diverged.js';
import { evaluate, hackingOf } from './evaluate.js';
import { writeEvaluations } from './evaluations-file.js';
import { ORIGINAL, type RunEvent } from '../run/events.js';
import { keepBatch } from '../run/inspection-files.js';
import { describeRunDevice } from '../run/run-files.js';
import type { PackedPrompt } from './packed-prompt.js';
import { preparePairs } from './prepare-pairs.js';
import type { ResumePoint, TrainingEvent } from './resume-point.js';
import type { Run, TrainingRun } from './run.js';
import { deriveSeed } from './sample.js';
import { pairsOf, type TrainingPair } from './training-pairs.js';
import { readTraining, removeTraining, saveTraining } from '../run/training-checkpoints.js';
import {
  deviceNotices,
  isLearning,
  TARGET_WARNING,
  warnOfLikelihood,
  warnOfReference,
  warnOfWarmup,
} from './warnings.js';

/**
 * Iterative DPO: evaluates the policy as it is, then `iterations` times samples it, makes preference pairs of the samples, trains it on the
 * pairs, saves and evaluates it. Unless the parameters name another, the reference of each iteration is the policy at its start. Trains
 * `run.policy` in place; writes data_iter_k.json, iter_k/dpo_model, WAV files and audio.json into the run's directories.
 *
 * @param resumed what is complete already; `run.policy` is then the policy of that point. Default: nothing is
 * @throws the signal's reason when aborted; whatever is written by then is complete
 */
export async function* iterate(run: Run, resumed?: ResumePoint): AsyncGenerator<RunEvent> {
  const { directories, parameters, clock } = run;
  const startSeconds = clock.seconds();
  if (!resumed) yield* tellBeginning(run);
  const audio = createAudioExamples(run, resumed?.audio);
  if (!resumed?.audio) await audio.addPrompts();
  for (const [iteration, rows] of resumed?.earlierRows ?? [])
    await audio.addPairs(iteration, pairsOf(run, rows));
  const original = resumed?.original ?? (yield* evaluate(run, ORIGINAL));
  if (!resumed) await writeEvaluations(directories, { original });
  const checkpoints = createCheckpointKeeper(run, original, resumed?.evaluated);
  let trained = resumed ? resumed.trained : original;
  let stopped = resumed?.stopped ?? false;
  let hasLearned = resumed?.hasLearned ?? false;
  for (let iteration = resumed?.iteration ?? 0; iteration < parameters.iterations && !stopped; iteration++) {
    const done = iteration === resumed?.iteration ? resumed : undefined;
    if (!done?.saved) {
      const pairs = done?.rows
        ? pairsOf(run, done.rows)
        : yield* preparePairs(run, iteration, trained?.train);
      if (!done?.earlierRows?.has(iteration)) await audio.addPairs(iteration, pairs);
      for await (const event of trainAndSave(run, iteration, pairs, done)) {
        hasLearned ||= isLearning(event);
        yield event;
      }
    }
    await removeTraining(directories, iteration);
    trained = yield* evaluate(run, iteration, hasLearned ? original : undefined);
    const left = parameters.iterations - iteration - 1;
    stopped =
      parameters.earlyStopping === 'guard' &&
      hasLearned &&
      left > 0 &&
      hackingOf(original, trained).length > 0;
    if (stopped) {
      const reason = `a guard warns: early stopping ends the run after iteration ${iteration}, ${left} before its end`;
      yield { type: 'stopped', iteration, reason };
    }
    await checkpoints.add(iteration, trained);
    await writeEvaluations(directories, { original, last: { iteration, evaluation: trained } });
  }
  if (trained) await audio.addComparison(original, trained);
  await checkpoints.finish();
  yield { type: 'finished', seconds: clock.seconds() - startSeconds };
}

/** What a run that begins says of itself. */
function* tellBeginning({
  parameters,
  directories,
  computing,
  notices,
  train,
  test,
}: Run): Generator<RunEvent> {
  const { name, outputDirectory, modelDirectory } = directories;
  const device = computing && { device: describeRunDevice(computing) };
  const instructions = { train: instructionsOf(train), test: instructionsOf(test) };
  yield { type: 'started', run: name, outputDirectory, modelDirectory, ...device, instructions };
  for (const message of notices) yield { type: 'notice', message };
  if (parameters.pairing === 'target') yield { type: 'notice', message: TARGET_WARNING };
}

/** Trains the policy on an iteration's pairs, if there are any, and saves it. */
async function* trainAndSave(
  run: Run,
  iteration: number,
  pairs: readonly TrainingPair[],
  resumed: ResumePoint | undefined,
): AsyncGenerator<RunEvent> {
  let trainingSeconds: number | undefined;
  if (pairs.length > 0) {
    // Training needs the memory.
    await run.sampler.release();
    await run.partner.releaseWeights();
    const startSeconds = run.clock.seconds();
    yield* train(run, iteration, pairs, resumed);
    trainingSeconds = run.clock.seconds() - startSeconds;
  }
  run.signal?.throwIfAborted();
  const saved = await saveCheckpoint(run, iteration);
  run.farm?.policySaved(join(run.directories.modelDirectory, saved.directory));
  yield trainingSeconds === undefined ? saved : { ...saved, trainingSeconds };
}

/**
 * Trains `run.policy` in place on an iteration's pairs. Every `checkpointMinutes`, and when aborted, the training's state is saved to go
 * on from.
 *
 * @param resumed goes on after this optimizer step, whose state was saved, and what came before
 */
export async function* train(
  run: TrainingRun,
  iteration: number,
  pairs: readonly TrainingPair[],
  resumed?: Pick<ResumePoint, 'trainedSteps' | 'trainedEvents'>,
): AsyncGenerator<RunEvent> {
  const { trainedSteps, trainedEvents = [] } = resumed ?? {};
  const { directories, parameters, signal } = run;
  const { learningRate, epochs, batchSize, gradientAccumulationSteps, maxGradNorm } = parameters;
  const { schedule, warmupSteps, weightDecay, validationShare, earlyStopping: metric, patience } = parameters;
  const loss = namedLoss(parameters);
  const told: TrainingEvent[] = [...trainedEvents];
  const isDue = createTimer(parameters.checkpointMinutes);
  const ids = pairs.map((pair) => pair.ids);
  const events = trainDpo(run.policy, ids, {
    device: run.device,
    loss,
    reference: await openReference(run, iteration),
    learningRate,
    schedule,
    warmupSteps,
    epochs,
    batchSize,
    gradientAccumulationSteps,
    weightDecay,
    maxGradNorm,
    validationShare,
    earlyStopping:
      metric === 'none' || metric === 'guard'
        ? undefined
        : earlyStopping({ metric, patience }, validationsOf(trainedEvents)),
    seed: deriveSeed(parameters.seed, iteration, 'train'),
    signal,
    // A training that does not finish ends the run, which goes on from its files.
    keepsWeights: false,
    resumeFrom:
      trainedSteps === undefined ? undefined : await readTraining(directories, iteration, trainedSteps),
    async afterStep(_, snapshot) {
      if (isDue() || signal?.aborted) await saveTraining(directories, iteration, snapshot);
    },
  });
  let restored: number | undefined;
  for await (const event of events) {
    const { epoch, step } = event;
    if (event.type === 'step') {
      told.push({ type: 'step', iteration, epoch, step, steps: event.steps, metrics: event.metrics });
      yield told.at(-1)!;
    } else if (event.type === 'validated') {
      told.push({ type: 'validated', iteration, epoch, step, metrics: event.metrics });
      yield told.at(-1)!;
    } else if (event.type === 'restored') {
      restored = step;
    } else {
      const rows = pairs.map(({ row }) => row);
      const file = await keepBatch(directories.outputDirectory, iteration, rows, event);
      const given = event.desirable ? 'samples' : 'pairs';
      throw divergence(
        `${event.reason}; nothing of it was saved, the ${given} that gave it are in ${file}. Trained the same way it diverges again: take a smaller learningRate, which is ${learningRate}`,
      );
    }
  }
  yield* deviceNotices(run.device);
  const taken = told.filter((event) => event.type === 'step');
  yield* tellEarlyStopping(iteration, taken.at(-1), restored, parameters);
  const steps = taken.at(-1)?.steps ?? 0;
  yield* warnOfReference(iteration, steps, parameters, loss);
  yield* warnOfWarmup(iteration, steps, parameters);
  const kept = taken.filter(({ step }) => restored === undefined || step <= restored);
  const labels = meanOf(pairs.map(({ ids }) => ids.chosen.length));
  yield* warnOfLikelihood(iteration, kept, labels, loss);
}

/**
 * What early stopping did to a training.
 *
 * @param last step that was taken
 * @param restored step whose weights the policy gets back
 */
function* tellEarlyStopping(
  iteration: number,
  last: Extract<RunEvent, { type: 'step' }> | undefined,
  restored: number | undefined,
  { earlyStopping: metric, patience }: Pick<Run['parameters'], 'earlyStopping' | 'patience'>,
): Generator<RunEvent> {
  if (last && last.step < last.steps) {
    const reason = `trained ${last.step} of ${last.steps} steps: early stopping, since the validation ${metric} got no better in ${patience === 1 ? 'an epoch' : `${patience} epochs`}`;
    yield { type: 'stopped', iteration, step: last.step, reason };
  }
  if (restored !== undefined) {
    const reason = `the policy gets back its weights of step ${restored}, where the validation ${metric} was the best`;
    yield { type: 'restored', iteration, step: restored, reason };
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

const instructionsOf = (prompts: readonly PackedPrompt[]): string[] =>
  prompts.map(({ item }) => item.instruction);

const validationsOf = (events: readonly TrainingEvent[]) =>
  events.filter(({ type }) => type === 'validated').map(({ metrics }) => metrics);

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
