/**
 * The loop of every training: batches, gradient accumulation, the learning rate, clipping, AdamW, validation, snapshots to resume from,
 * divergence. What is trained for is an `Objective`.
 */
import { freeArrays } from '../engine/free-arrays.js';
import type { HostTensor } from '../engine/host-tensor.js';
import type { Device } from '../engine/index.js';
import type { FloatTensor } from '../engine/host-tensor.js';
import { uploadWeights } from '../policy/resident-weights.js';
import { openParts, releaseAll } from '../release.js';
import type { AdamWOptions } from './adamw.js';
import type { Verdict } from './early-stopping.js';
import { splitTrained, type SplitWeights } from './gradient-program.js';
import type { Arrays, Objective } from './objective.js';
import { createPasses, type Passes } from './passes.js';
import {
  bestOf,
  objectiveOf,
  withBest,
  withObjective,
  type BestWeights,
  type TrainingSnapshot,
} from './snapshot.js';
import { openTrainingState, type TrainingState } from './training-state.js';

/** How long, on what, and how fast an objective is trained. */
export interface OptimizeOptions<Batch, Metrics = { loss: number }> {
  /** Where the weights are trained. */
  device: Device;
  /** Optimizer steps. */
  steps: number;
  /** The batches of step k, from 0, whose gradients add up to one step; at least one. */
  batches(step: number): readonly Batch[];
  /** Of step k, from 0. */
  learningRate(step: number): number;
  /** What the gradient's global L2 norm is clipped to. */
  maxGradNorm: number;
  /** Default: torch's, without weight decay. */
  adamw?: AdamWOptions;
  /** Batches that are measured together after every so many steps. */
  validation?: {
    batches: readonly Batch[];
    everySteps: number;
    /** Asked after each, once its event was taken (`earlyStopping`). Without it the training ends with the weights of its last step. */
    judge?: (metrics: Metrics) => Verdict;
  };
  /** Stops after the step under way; the weights stay as they were given. */
  signal?: AbortSignal;
  /**
   * False frees the arrays of the trained weights as soon as the device has them: a copy less in memory. They are replaced when the training
   * finishes, and stay empty when it does not. Default true.
   */
  keepsWeights?: boolean;
  /** Of an earlier training of the same weights on the same batches: goes on after its last step, to the bit. */
  resumeFrom?: TrainingSnapshot;
  /**
   * Called after each step, once its event was taken, and once more where the training is stopped while it validates; what it keeps of the
   * snapshot it must copy, which ends with the call.
   */
  afterStep?: (step: number, snapshot: TrainingSnapshot) => Promise<void>;
}

/** `step`: steps taken so far, from 1. `batches`, `outputs`: of the step or validation, and what the forward pass gave for each. */
export type OptimizeEvent<Batch, Metrics> =
  | {
      type: 'step';
      step: number;
      metrics: Metrics;
      /** L2 norm of all gradients before clipping. */
      gradNorm: number;
      learningRate: number;
      batches: readonly Batch[];
      outputs: readonly Arrays[];
    }
  | { type: 'validated'; step: number; metrics: Metrics }
  /** The last event of a training that ends with the weights of an earlier step, whose validation was the best. */
  | { type: 'restored'; step: number }
  /** The last event before an error: a loss or gradient is not finite. */
  | {
      type: 'diverged';
      /** That was not taken, or that validation follows. */
      step: number;
      /** In words, of the loss or the gradient. */
      reason: string;
      batches: readonly Batch[];
      outputs: readonly Arrays[];
    };

/** Those of trainings under way. */
const inTraining = new WeakSet<ReadonlyMap<string, HostTensor>>();

/**
 * Trains `weights` (float32): entries are replaced when the generator finishes, and only then.
 *
 * @throws before a first step where another training of `weights` is under way, if a loss or gradient is not finite (naming the step, after
 *   `diverged`), or on abort
 */
export async function* optimize<Batch, Shape extends object, Metrics extends { loss: number }>(
  weights: Map<string, HostTensor>,
  objective: Objective<Batch, Shape, Metrics>,
  options: OptimizeOptions<Batch, Metrics>,
): AsyncGenerator<OptimizeEvent<Batch, Metrics>, void, void> {
  const { device, signal, resumeFrom } = options;
  const split = splitTrained(weights, objective.fixed ?? [], objective.frozen);
  const { state, base, release } = await openWeights(weights, split, device, options.adamw);
  if (options.keepsWeights === false) await freeArrays([...split.trained.values()].map(({ data }) => data));
  const passes = createPasses(objective, split, device, state, base);
  const training: Training<Batch, Metrics> = { objective, options, state, passes };
  try {
    await objective.prepare?.((batch) => {
      signal?.throwIfAborted();
      return passes.forward(batch, [batch]);
    });
    if (resumeFrom) {
      if (resumeFrom.steps > options.steps)
        throw new Error(
          `the snapshot is of step ${resumeFrom.steps}, but this training has ${options.steps}: resume with the examples and options that it is of`,
        );
      await state.restore(resumeFrom);
      await objective.restore?.(await objectiveOf(resumeFrom));
      training.best = await bestOf(resumeFrom);
    }
    let step = resumeFrom?.steps ?? 0;
    // A snapshot is taken before its step is validated: a resumed training begins with that validation.
    let isOver = yield* validate(training, step);
    while (!isOver && step < options.steps) {
      signal?.throwIfAborted();
      step += 1;
      yield* takeStep(training, step);
      await tellSnapshot(training, step);
      if (step < options.steps) signal?.throwIfAborted();
      isOver = yield* validate(training, step);
    }
    // What its programs hold makes room for the weights.
    await passes.release();
    const { best } = training;
    const replace = (name: string, data: Float32Array): void => {
      weights.set(name, { shape: weights.get(name)!.shape, dtype: 'float32', data });
    };
    if (best) {
      yield { type: 'restored', step: best.step };
      for (const [name, data] of best.weights) replace(name, data);
    } else {
      await state.download(replace);
    }
  } finally {
    await releaseAll([release, () => passes.release()]);
  }
}

/** A training under way. */
interface Training<Batch, Metrics extends { loss: number }> {
  objective: Pick<Objective<Batch, object, Metrics>, 'metrics' | 'stepped' | 'snapshot'>;
  options: OptimizeOptions<Batch, Metrics>;
  state: TrainingState;
  passes: Passes<Batch>;
  /** What it ends with, where that is of an earlier step. */
  best?: BestWeights;
}

/** Takes a step, the first of which is 1. */
async function* takeStep<Batch, Metrics extends { loss: number }>(
  { objective, options, state, passes }: Training<Batch, Metrics>,
  step: number,
): AsyncGenerator<OptimizeEvent<Batch, Metrics>, void, void> {
  const batches = options.batches(step - 1);
  const outputs: Arrays[] = [];
  for (const batch of batches) {
    outputs.push(await passes.backward(batch, batches));
    if (batches.length > 1) await state.accumulate();
  }
  const metrics = objective.metrics(batches, outputs);
  const learningRate = options.learningRate(step - 1);
  const isLossFinite = Number.isFinite(metrics.loss);
  const gradNorm = isLossFinite ? await state.step(learningRate, options.maxGradNorm) : NaN;
  if (!Number.isFinite(gradNorm)) {
    const what = isLossFinite ? `gradient norm is ${gradNorm}` : `loss is ${metrics.loss}`;
    const reason = `the ${what} at optimizer step ${step}`;
    yield { type: 'diverged', step, reason, batches, outputs };
    throw new Error(reason);
  }
  await objective.stepped?.(step, () => readTrained(state));
  yield { type: 'step', step, metrics, gradNorm, learningRate, batches, outputs };
}

/**
 * Validates after so many steps, where it is time to.
 * @returns whether the training ends there
 */
async function* validate<Batch, Metrics extends { loss: number }>(
  training: Training<Batch, Metrics>,
  step: number,
): AsyncGenerator<OptimizeEvent<Batch, Metrics>, boolean, void> {
  const { objective, options, state, passes } = training;
  const { validation, signal } = options;
  if (!validation || step === 0 || step % validation.everySteps !== 0) return false;
  const { batches } = validation;
  const outputs: Arrays[] = [];
  for (const batch of batches) outputs.push(await passes.forward(batch, batches));
  const metrics = objective.metrics(batches, outputs);
  if (!Number.isFinite(metrics.loss)) {
    const reason = `the validation loss is ${metrics.loss} after optimizer step ${step}`;
    yield { type: 'diverged', step, reason, batches, outputs };
    throw new Error(reason);
  }
  yield { type: 'validated', step, metrics };
  // Nobody had stopped the training yet when the step itself was told.
  if (signal?.aborted) await tellSnapshot(training, step);
  const { isBest, isLast } = validation.judge?.(metrics) ?? { isBest: false, isLast: false };
  if (isBest) training.best = step < options.steps ? { step, weights: await readTrained(state) } : undefined;
  return isLast;
}

async function tellSnapshot<Batch, Metrics extends { loss: number }>(
  { objective, options, state, best }: Training<Batch, Metrics>,
  step: number,
): Promise<void> {
  const snapshot = withObjective(state.snapshot(), objective.snapshot?.() ?? new Map());
  await options.afterStep?.(step, withBest(snapshot, best));
}

async function readTrained(state: TrainingState): Promise<Map<string, Float32Array>> {
  const read = new Map<string, Float32Array>();
  await state.download((name, data) => read.set(name, data));
  return read;
}

/** Uploads what is trained, with room for gradients and moments, and what is only read. */
function openWeights(
  weights: ReadonlyMap<string, HostTensor>,
  { trained, frozen }: SplitWeights,
  device: Device,
  adamw: AdamWOptions | undefined,
) {
  return openParts(async (opened) => {
    if (inTraining.has(weights))
      throw new Error(
        'another training of these weights is under way, and of two the one that ends last would undo the other: let that one end (or call return() of its generator), or load the model once more for this one',
      );
    inTraining.add(weights);
    opened.push(() => inTraining.delete(weights));
    const state = await openTrainingState(trained, device, adamw);
    opened.push(() => state.release());
    const base =
      frozen.size === 0 ? undefined : await uploadWeights(frozen as Map<string, FloatTensor>, device);
    if (base) opened.push(() => base.release());
    return { state, base: base?.tensors, release: () => releaseAll(opened) };
  });
}
