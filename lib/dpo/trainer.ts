/**
 * Direct Preference Optimization (Rafailov et al. 2023, arXiv:2305.18290) of an encoder-decoder policy, numerically TRL 0.9.6's
 * DPOTrainer: sigmoid loss on summed log-probabilities, AdamW, global-norm clipping, linear decay of the learning rate to 0; RPO's
 * term (`rpoAlpha`) is added as TRL has added it since 0.12.
 *
 * The reference is the policy as it is when training starts; its log-probabilities are computed once, before the first step.
 * Not supported: dropout (TRL's disable_dropout intends the same), label smoothing, losses other than sigmoid, warm-up.
 */
import type { HostTensor } from '../engine/host-tensor.js';
import type { BartConfig } from '../checkpoint/bart-config.js';
import { keepPrograms, type Compiled, type Device } from '../engine/index.js';
import { shuffled } from '../random.js';
import { releaseAll } from '../release.js';
import { batchShape, checkPairs, collatePairs, type BatchShape, type PreferencePair } from './batch.js';
import { gradientOutputs, splitTrained } from '../train/gradient-program.js';
import { pairMetrics } from './loss.js';
import type { DpoMetrics } from './metrics.js';
import { compilePairProgram } from './pair-program.js';
import { MOST_PROGRAMS, openTrainingState, type TrainingSnapshot } from '../train/training-state.js';

export type { PreferencePair } from './batch.js';
export type { TrainingSnapshot } from '../train/training-state.js';

export interface DpoOptions {
  /** Where the policy is trained. */
  device: Device;
  /** How far the policy may leave the reference; 0.1. */
  beta: number;
  /** Weight of the chosen completions' negative log-likelihood, a mean over the step's labels (`chosenNll`); default 0. */
  rpoAlpha?: number;
  /** Of the first step; decays linearly to 0. */
  learningRate: number;
  epochs: number;
  /** Pairs in one forward and backward pass. */
  batchSize: number;
  /** Batches that make one optimizer step, the same step as one batch of all their pairs. */
  gradientAccumulationSteps: number;
  /** Clips the gradient's global L2 norm; 1. */
  maxGradNorm: number;
  /** Share of the pairs kept out of training for validation; 0.1, at least one pair. 0: none. */
  validationShare: number;
  seed: number;
  /** False keeps the pairs in their order (TRL's SequentialSampler). Default true. */
  shuffle?: boolean;
  /** Stops after the step under way; the policy keeps its weights as they were. */
  signal?: AbortSignal;
  /** Of an earlier training of the same policy on the same pairs and options: goes on after its last step, to the bit. */
  resumeFrom?: TrainingSnapshot;
  /** Called after each step, once its event was taken; may keep a copy of the snapshot to resume from, which ends with the call. */
  afterStep?: (step: number, snapshot: TrainingSnapshot) => Promise<void>;
}

export type DpoEvent =
  | { type: 'step'; epoch: number; step: number; steps: number; metrics: DpoMetrics; logps: Float32Array }
  | { type: 'validated'; epoch: number; step: number; metrics: DpoMetrics }
  /** The last event before an error: no step was taken, because of what these pairs give. */
  | {
      type: 'diverged';
      epoch: number;
      /** That was not taken, or that validation follows. */
      step: number;
      /** In words, of the loss or the gradient. */
      reason: string;
      /** Indices of the pairs. */
      pairs: number[];
      /** Log-probabilities of chosen and rejected, pair after pair: the policy's and the reference's. */
      logps: number[];
      referenceLogps: number[];
    };

interface Trainable {
  readonly config: BartConfig;
  readonly weights: Map<string, HostTensor>;
}

/**
 * Trains `policy` in place: `policy.weights` are replaced when the generator finishes, and only then.
 * @throws if a pair is longer than the model's positions, a loss or gradient is not finite (naming the step, after `diverged`), or on abort
 */
export async function* trainDpo(
  policy: Trainable,
  pairs: readonly PreferencePair[],
  options: DpoOptions,
): AsyncGenerator<DpoEvent> {
  if (pairs.length === 0) throw new Error('there are no preference pairs to train on');
  checkPairs(pairs, policy.config);
  const { train, validation } = splitPairs(pairs, options);
  const { device, beta, rpoAlpha = 0 } = options;
  const { trained, fixed } = splitTrained(policy.weights);
  const state = await openTrainingState(trained, device);
  const programs = keepPrograms(MOST_PROGRAMS);
  const session = (shape: BatchShape, backward: boolean): Promise<Compiled> =>
    programs.get(JSON.stringify([shape, backward]), () =>
      compilePairProgram(policy.config, shape, { device, trained, fixed, backward, beta, rpoAlpha }),
    );
  const forward = async (batch: readonly PreferencePair[]): Promise<Float32Array> => {
    const shape = batchShape(batch, policy.config);
    const run = await session(shape, false);
    return (await run({ ...state.parameters, ...collatePairs(batch, shape, policy.config) }))
      .logps as Float32Array;
  };
  try {
    const reference = new Map<PreferencePair, Float32Array>();
    for (const batch of batches([...train, ...validation], options.batchSize)) {
      options.signal?.throwIfAborted();
      const logps = await forward(batch);
      batch.forEach((pair, i) => reference.set(pair, logps.slice(2 * i, 2 * i + 2)));
    }
    const referenceOf = (batch: readonly PreferencePair[]) =>
      Float32Array.from(batch.flatMap((pair) => [...reference.get(pair)!]));
    const measure = (batch: readonly PreferencePair[], logps: readonly number[]): DpoMetrics =>
      withNll(pairMetrics(logps, referenceOf(batch), batch.length, beta), batch, rpoAlpha);
    const stopAt = async function* (
      { epoch, step }: { epoch: number; step: number },
      reason: string,
      batch: readonly PreferencePair[],
      logps: number[],
    ): AsyncGenerator<DpoEvent> {
      const referenceLogps = [...referenceOf(batch)];
      yield {
        type: 'diverged',
        epoch,
        step,
        reason,
        pairs: batch.map((pair) => pairs.indexOf(pair)),
        logps,
        referenceLogps,
      };
      throw new Error(reason);
    };

    const accumulation = options.gradientAccumulationSteps;
    const stepsPerEpoch = Math.ceil(Math.ceil(train.length / options.batchSize) / accumulation);
    const steps = stepsPerEpoch * options.epochs;
    const resumedSteps = options.resumeFrom?.steps ?? 0;
    if (options.resumeFrom) await state.restore(options.resumeFrom);
    let step = 0;
    for (let epoch = 0; epoch < options.epochs; epoch++) {
      const order = options.shuffle === false ? train : shuffled(train, options.seed, epoch);
      for (const microBatches of batches(batches(order, options.batchSize), accumulation)) {
        if (step < resumedSteps) {
          step += 1;
          continue;
        }
        options.signal?.throwIfAborted();
        const pairsOfStep = microBatches.flat();
        const chosenLabels = Float32Array.of(labelsOf(pairsOfStep));
        const logps: number[] = [];
        for (const batch of microBatches) {
          const shape = batchShape(batch, policy.config);
          const run = await session(shape, true);
          const feeds = {
            ...collatePairs(batch, shape, policy.config),
            reference: referenceOf(batch),
            // Means are over the step, so that its micro-batches add up to one batch.
            pairWeights: new Float32Array(batch.length).fill(1 / pairsOfStep.length),
            ...(rpoAlpha === 0 ? {} : { chosenLabels }),
          };
          const result = await run({ ...state.parameters, ...feeds }, gradientOutputs(state.gradients));
          logps.push(...result.logps);
          if (accumulation > 1) await state.accumulate();
        }
        const metrics = measure(pairsOfStep, logps);
        const next = { epoch, step: step + 1 };
        if (!Number.isFinite(metrics.loss)) {
          yield* stopAt(
            next,
            `the loss is ${metrics.loss} at optimizer step ${next.step}`,
            pairsOfStep,
            logps,
          );
        }
        const learningRate = (options.learningRate * (steps - step)) / steps;
        const norm = await state.step(learningRate, options.maxGradNorm);
        if (!Number.isFinite(norm)) {
          yield* stopAt(
            next,
            `the gradient norm is ${norm} at optimizer step ${next.step}`,
            pairsOfStep,
            logps,
          );
        }
        metrics.grad_norm = norm;
        metrics.learning_rate = learningRate;
        step += 1;
        yield { type: 'step', epoch, step, steps, metrics, logps: Float32Array.from(logps) };
        await options.afterStep?.(step, state.snapshot());
      }
      if (validation.length > 0 && step >= resumedSteps) {
        const logps: number[] = [];
        for (const batch of batches(validation, options.batchSize)) logps.push(...(await forward(batch)));
        const metrics = measure(validation, logps);
        if (!Number.isFinite(metrics.loss)) {
          const reason = `the validation loss is ${metrics.loss} after optimizer step ${step}`;
          yield* stopAt({ epoch, step }, reason, validation, logps);
        }
        yield { type: 'validated', epoch, step, metrics };
      }
    }
    await state.download((name, data) => {
      policy.weights.set(name, { shape: policy.weights.get(name)!.shape, dtype: 'float32', data });
    });
  } finally {
    await releaseAll([() => state.release(), () => programs.release()]);
  }
}

/** Labels of the chosen completions. */
function labelsOf(pairs: readonly PreferencePair[]): number {
  return pairs.reduce((sum, { chosen }) => sum + chosen.length, 0);
}

/** Adds RPO's term: log-probabilities of the chosen completions over their labels, all pairs together. */
function withNll(metrics: DpoMetrics, pairs: readonly PreferencePair[], rpoAlpha: number): DpoMetrics {
  if (rpoAlpha === 0) return metrics;
  const labels = labelsOf(pairs) / pairs.length;
  const nll = -metrics['logps/chosen'] / labels;
  return { ...metrics, loss: metrics.loss + rpoAlpha * nll, nll_loss: nll };
}

/** Validation pairs are the first ones of a seeded shuffle, never all; a single pair serves as both, as the original doubles it. */
function splitPairs(pairs: readonly PreferencePair[], { validationShare, seed }: DpoOptions) {
  if (validationShare === 0) return { train: pairs, validation: [] };
  if (pairs.length === 1) return { train: pairs, validation: pairs };
  const share = Math.min(Math.ceil(pairs.length * validationShare), pairs.length - 1);
  const held = new Set(shuffled(pairs, seed, -1).slice(0, share));
  return { train: pairs.filter((pair) => !held.has(pair)), validation: [...held] };
}

function batches<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}
