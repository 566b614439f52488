/**
 * Direct Preference Optimization (Rafailov et al. 2023, arXiv:2305.18290) of a policy, numerically TRL 0.9.6's
 * DPOTrainer: sigmoid loss, or another `PreferenceLoss`, on summed log-probabilities, AdamW, global-norm clipping, a schedule of the
 * learning rate; RPO's term (`rpoAlpha`) is added as TRL has added it since 0.12.
 *
 * The reference is the policy as it is when training starts, or another `Reference`; its log-probabilities are computed once, before the first
 * step. Not supported: dropout (TRL's disable_dropout intends the same).
 */
import { chunks } from '../chunks.js';
import type { Model } from '../policy/architecture.js';
import { shuffled } from '../random.js';
import { ADAMW_DEFAULTS } from '../train/adamw.js';
import { optimize } from '../train/optimize.js';
import { learningRates } from '../train/schedule.js';
import { checkPairs, type PreferencePair } from './batch.js';
import type { DpoMetrics } from './metrics.js';
import { logpsOf, preferenceObjective } from './objective.js';
import { checkOptions, lossOf, type DpoOptions } from './options.js';
import { createReference, isMoving } from './reference.js';
import { examplesAsPairs, type Example } from './unpaired.js';
import { splitByPrompt } from './validation-split.js';

export type { PreferencePair } from './batch.js';
export type { DpoOptions } from './options.js';
export type { Example, UnpairedSample } from './unpaired.js';
export type { TrainingSnapshot } from '../train/snapshot.js';

/**
 * What a training yields: `step` after each optimizer step, with the log-probabilities of chosen and rejected of its pairs; `validated` after
 * each epoch, where pairs are held out; `restored` at the end, where early stopping went back to the best validation's weights.
 */
export type DpoEvent =
  | { type: 'step'; epoch: number; step: number; steps: number; metrics: DpoMetrics; logps: Float32Array }
  | { type: 'validated'; epoch: number; step: number; metrics: DpoMetrics }
  | { type: 'restored'; epoch: number; step: number }
  /** The last event before an error: no step was taken, because of what these pairs give. */
  | {
      type: 'diverged';
      epoch: number;
      /** That was not taken, or that validation follows. */
      step: number;
      /** In words, of the loss or the gradient. */
      reason: string;
      /** Indices of the pairs, or of the examples that the single samples are of. */
      pairs: number[];
      /** With a loss of single samples alone: whether each is a desirable one. */
      desirable?: boolean[];
      /**
       * Log-probabilities of chosen and rejected, pair after pair: the policy's and the reference's. With a loss of single samples, of the sample and
       * of the completion of another prompt that it is compared with.
       */
      logps: number[];
      referenceLogps: number[];
    };

/**
 * Trains `policy` in place: `policy.weights` are replaced when the generator finishes, and only then.
 *
 * @param examples pairs; for a loss of single samples (`ktoLoss`) also `UnpairedSample`s, and either side of a pair counts as one
 * @throws if an option is unknown or a number that nothing can be trained by, both `beta` and `loss` are given, a pair is longer than the
 *   model's positions, these weights are being trained already, a loss or gradient is not finite (naming the step, after `diverged`), or on
 *   abort
 */
export async function* trainDpo(
  policy: Model,
  examples: readonly Example[],
  options: DpoOptions,
): AsyncGenerator<DpoEvent> {
  if (examples.length === 0) throw new Error('there are no preference pairs to train on');
  checkOptions(options);
  const { device, signal, reference: comparedWith = 'start', validationShare = 0 } = options;
  const { schedule, warmupSteps, epochs, batchSize, gradientAccumulationSteps = 1, seed } = options;
  const loss = lossOf(options);
  const pairsOfExamples = examplesAsPairs(examples, loss);
  const pairs = pairsOfExamples.flat();
  checkPairs(pairs, policy);
  const { train, validation } = splitByPrompt(pairsOfExamples, validationShare, seed);
  const reference = createReference(policy, comparedWith, batchesOf([...train, ...validation], batchSize), {
    device,
    signal,
  });
  const rewards = pairs.every((pair) => pair.rewards !== undefined);
  const objective = preferenceObjective(policy, loss, reference, { rewards });

  const batchesOfSteps = Array.from({ length: epochs }, (_, epoch) => {
    const order = options.shuffle === false ? train : shuffled(train, seed, epoch);
    return chunks(batchesOf(order, batchSize), gradientAccumulationSteps);
  }).flat();
  const steps = batchesOfSteps.length;
  const stepsPerEpoch = steps / epochs;
  const events = optimize(policy.weights, objective, {
    device,
    steps,
    batches: (step) => batchesOfSteps[step],
    learningRate: learningRates(options.learningRate, { schedule, warmupSteps, steps }),
    maxGradNorm: options.maxGradNorm ?? 1,
    adamw: { ...ADAMW_DEFAULTS, weightDecay: options.weightDecay ?? 0 },
    validation:
      validation.length === 0
        ? undefined
        : {
            batches: batchesOf(validation, batchSize),
            everySteps: stepsPerEpoch,
            judge: options.earlyStopping,
          },
    signal,
    keepsWeights: options.keepsWeights !== false || isMoving(comparedWith),
    resumeFrom: options.resumeFrom,
    afterStep: options.afterStep,
  });
  for await (const event of events) {
    const { step } = event;
    /** Of the step; validation belongs to the epoch that ends. */
    const epoch = Math.floor((step - 1) / stepsPerEpoch);
    if (event.type === 'step') {
      const metrics = { ...event.metrics, grad_norm: event.gradNorm, learning_rate: event.learningRate };
      yield { type: 'step', epoch, step, steps, metrics, logps: logpsOf(event.outputs) };
    } else if (event.type === 'diverged') {
      const diverging = event.batches.flat();
      yield {
        type: 'diverged',
        epoch,
        step,
        reason: event.reason,
        pairs: diverging.map((pair) => pairsOfExamples.findIndex((each) => each.includes(pair))),
        ...(loss.isUnpaired && { desirable: diverging.map(({ rewards }) => rewards!.chosen === 1) }),
        logps: [...logpsOf(event.outputs)],
        referenceLogps: [...objective.referenceOf(diverging)],
      };
    } else {
      yield { ...event, epoch };
    }
  }
}

/** Batches of so many examples each, as the pairs that are computed. */
function batchesOf(examples: readonly (readonly PreferencePair[])[], batchSize: number): PreferencePair[][] {
  return chunks(examples, batchSize).map((batch) => batch.flat());
}
