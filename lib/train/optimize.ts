/**
 * The loop of every training: batches, gradient accumulation, the learning rate, clipping, AdamW, validation, snapshots to resume from,
 * divergence. What is trained for is an `Objective`.
 */
import { freeArrays } from '../engine/free-arrays.js';
import type { HostTensor } from '../engine/host-tensor.js';
import { keepPrograms, type Compiled, type Device } from '../engine/index.js';
import type { FloatTensor } from '../engine/host-tensor.js';
import { uploadWeights } from '../policy/resident-weights.js';
import { openParts, releaseAll } from '../release.js';
import type { AdamWOptions } from './adamw.js';
import { compileBatch, gradientOutputs, splitTrained, type SplitWeights } from './gradient-program.js';
import type { Arrays, Objective } from './objective.js';
import {
  MOST_PROGRAMS,
  objectiveOf,
  openTrainingState,
  withObjective,
  type TrainingSnapshot,
} from './training-state.js';

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
  /** Clips the gradient's global L2 norm. */
  maxGradNorm: number;
  /** Default: torch's, without weight decay. */
  adamw?: AdamWOptions;
  /** Batches that are measured together after every so many steps. */
  validation?: {
    batches: readonly Batch[];
    everySteps: number;
    /** Asked after each, once its event was taken: true ends the training there, with the weights as they are. */
    isLast?: (metrics: Metrics) => boolean;
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
 * @throws before a first step where another training of `weights` is under way, if a loss or gradient is not finite (naming the step, after `diverged`), or on abort
 */
export async function* optimize<Batch, Shape extends object, Metrics extends { loss: number }>(
  weights: Map<string, HostTensor>,
  objective: Objective<Batch, Shape, Metrics>,
  options: OptimizeOptions<Batch, Metrics>,
): AsyncGenerator<OptimizeEvent<Batch, Metrics>, void, void> {
  const { device, maxGradNorm, validation, signal, resumeFrom } = options;
  const split = splitTrained(weights, objective.fixed ?? [], objective.frozen);
  const { state, base, release } = await openWeights(weights, split, device, options.adamw);
  if (options.keepsWeights === false) await freeArrays([...split.trained.values()].map(({ data }) => data));
  const programs = keepPrograms(MOST_PROGRAMS);
  const programOf = (batch: Batch, backward: boolean): Promise<Compiled> => {
    const shape = objective.shape(batch);
    return programs.get(JSON.stringify([shape, backward]), () =>
      compileBatch(objective.program(shape), split, { device, backward }),
    );
  };
  const forward = async (batch: Batch, all: readonly Batch[]): Promise<Arrays> => {
    const run = await programOf(batch, false);
    return run({ ...base, ...state.parameters, ...objective.collate(batch, all) });
  };
  const backward = async (batch: Batch, all: readonly Batch[]): Promise<Arrays> => {
    const run = await programOf(batch, true);
    const arrays = { ...objective.collate(batch, all), ...objective.targets?.(batch, all) };
    return run({ ...base, ...state.parameters, ...arrays }, gradientOutputs(state.gradients));
  };
  const readTrained = async () => {
    const read = new Map<string, Float32Array>();
    await state.download((name, data) => read.set(name, data));
    return read;
  };
  const tellSnapshot = async (step: number) =>
    options.afterStep?.(step, withObjective(state.snapshot(), objective.snapshot?.() ?? new Map()));
  try {
    await objective.prepare?.((batch) => {
      signal?.throwIfAborted();
      return forward(batch, [batch]);
    });
    if (resumeFrom) {
      if (resumeFrom.steps > options.steps)
        throw new Error(
          `the snapshot is of step ${resumeFrom.steps}, but this training has ${options.steps}: resume with the examples and options that it is of`,
        );
      await state.restore(resumeFrom);
      await objective.restore?.(await objectiveOf(resumeFrom));
    }
    const first = resumeFrom?.steps ?? 0;
    for (let step = first; step <= options.steps; step++) {
      if (validation && step > 0 && step % validation.everySteps === 0) {
        const { batches } = validation;
        const outputs: Arrays[] = [];
        for (const batch of batches) outputs.push(await forward(batch, batches));
        const metrics = objective.metrics(batches, outputs);
        if (!Number.isFinite(metrics.loss)) {
          const reason = `the validation loss is ${metrics.loss} after optimizer step ${step}`;
          yield { type: 'diverged', step, reason, batches, outputs };
          throw new Error(reason);
        }
        yield { type: 'validated', step, metrics };
        // Nobody had stopped the training yet when the step itself was told.
        if (signal?.aborted) await tellSnapshot(step);
        if (validation.isLast?.(metrics)) break;
      }
      if (step === options.steps) break;
      signal?.throwIfAborted();
      const batches = options.batches(step);
      const outputs: Arrays[] = [];
      for (const batch of batches) {
        outputs.push(await backward(batch, batches));
        if (batches.length > 1) await state.accumulate();
      }
      const metrics = objective.metrics(batches, outputs);
      const learningRate = options.learningRate(step);
      const finite = Number.isFinite(metrics.loss);
      const gradNorm = finite ? await state.step(learningRate, maxGradNorm) : NaN;
      if (!Number.isFinite(gradNorm)) {
        const what = finite ? `gradient norm is ${gradNorm}` : `loss is ${metrics.loss}`;
        const reason = `the ${what} at optimizer step ${step + 1}`;
        yield { type: 'diverged', step: step + 1, reason, batches, outputs };
        throw new Error(reason);
      }
      await objective.stepped?.(step + 1, readTrained);
      yield { type: 'step', step: step + 1, metrics, gradNorm, learningRate, batches, outputs };
      await tellSnapshot(step + 1);
      if (step + 1 < options.steps) signal?.throwIfAborted();
    }
    // What they hold makes room for the weights.
    await programs.release();
    await state.download((name, data) => {
      weights.set(name, { shape: weights.get(name)!.shape, dtype: 'float32', data });
    });
  } finally {
    await releaseAll([release, () => programs.release()]);
  }
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
