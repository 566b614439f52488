/**
 * Direct Preference Optimization (Rafailov et al. 2023, arXiv:2305.18290) of a policy, numerically TRL 0.9.6's
 * DPOTrainer: sigmoid loss, or another `PreferenceLoss`, on summed log-probabilities, AdamW, global-norm clipping, a schedule of the
 * learning rate; RPO's term (`rpoAlpha`) is added as TRL has added it since 0.12.
 *
 * The reference is the policy as it is when training starts, or another `Reference`; its log-probabilities are computed once, before the first
 * step. Not supported: dropout (TRL's disable_dropout intends the same).
 */
import { z } from 'zod';
import { chunks } from '../chunks.js';
import type { Device } from '../engine/index.js';
import type { Model } from '../policy/architecture.js';
import { shuffled } from '../random.js';
import { ADAMW_DEFAULTS } from '../train/adamw.js';
import { optimize } from '../train/optimize.js';
import { learningRates, schedules, type ScheduleOptions } from '../train/schedule.js';
import type { Verdict } from '../train/early-stopping.js';
import type { TrainingSnapshot } from '../train/snapshot.js';
import { describeIssues } from '../zod-message.js';
import { checkPairs, type PreferencePair } from './batch.js';
import type { DpoMetrics } from './metrics.js';
import { logpsOf, preferenceObjective } from './objective.js';
import type { PreferenceLoss } from './preference-loss.js';
import { createReference, isMoving, referenceSchema, type Reference } from './reference.js';
import { unpair, withMismatched, type UnpairedSample } from './unpaired.js';
import { sigmoidLoss } from './losses/margin.js';
import { mixedLoss, sftLoss } from './losses/mixed.js';

export type { PreferencePair } from './batch.js';
export type { UnpairedSample } from './unpaired.js';
export type { TrainingSnapshot } from '../train/snapshot.js';

/** What is learned from. */
export type Example = PreferencePair | UnpairedSample;

/** How a policy is trained on preference pairs. */
export interface DpoOptions extends Omit<ScheduleOptions, 'steps'> {
  /** Where the policy is trained. */
  device: Device;
  /** How far the policy may leave the reference, for the sigmoid loss; default 0.1. A `loss` of its own has its own. */
  beta?: number;
  /** Default: `sigmoidLoss(beta)`. */
  loss?: PreferenceLoss;
  /** Weight of the chosen completions' negative log-likelihood beside the loss (`sftLoss`); default 0. */
  rpoAlpha?: number;
  /** What implicit rewards are measured against; default "start". */
  reference?: Reference;
  /** Peak of the `schedule`: by default that of the first step, from which it decays linearly to 0. */
  learningRate: number;
  epochs: number;
  /** Pairs in one forward and backward pass. */
  batchSize: number;
  /**
   * Batches that make one optimizer step, the same step as one batch of all their pairs; not with `aotLoss` and `ktoLoss`, which compare what is
   * in a batch.
   */
  gradientAccumulationSteps: number;
  /**
   * Decoupled weight decay (AdamW): before each step every trained matrix is multiplied by 1 - learning rate · weightDecay. As under TRL,
   * biases and layer norms do not decay; the embedding, positions and adapters do. Default 0.
   */
  weightDecay?: number;
  /** What the gradient's global L2 norm is clipped to; runs take 1, and Infinity clips nothing. */
  maxGradNorm: number;
  /** Share of the pairs kept out of training for validation: at least one pair, or none where it is 0; runs take 0.1. */
  validationShare: number;
  /**
   * Asked after each validation, once its event was taken: whether the training ends there, and whether its weights are the best so far, which it
   * then ends with. `earlyStopping()` makes one. Default: the training takes all steps and ends with the last one's weights.
   */
  earlyStopping?: (validation: DpoMetrics) => Verdict;
  seed: number;
  /** False keeps the pairs in their order (TRL's SequentialSampler). Default true. */
  shuffle?: boolean;
  /** Stops after the step under way; the policy keeps its weights as they were. */
  signal?: AbortSignal;
  /**
   * False spares a copy of the weights: those that are trained are on the device alone meanwhile, and lost where the training does not finish,
   * as for a run, which goes on from its files. A moving reference needs them: then they are kept; a model that is the reference has weights of
   * its own. Default true.
   */
  keepsWeights?: boolean;
  /** Of an earlier training of the same policy on the same pairs and options: goes on after its last step, to the bit. */
  resumeFrom?: TrainingSnapshot;
  /**
   * Called after each step, once its event was taken, and once more where the training is stopped while it validates; may keep a copy of the
   * snapshot to resume from, which ends with the call:
   *
   *     async afterStep(step, { steps, tensors }) {
   *       const copies = new Map();
   *       for (const [name, tensor] of tensors) {
   *         const data = await tensor.read();
   *         copies.set(name, { ...tensor, read: async () => data });
   *       }
   *       kept = { steps, tensors: copies };
   *     }
   */
  afterStep?: (step: number, snapshot: TrainingSnapshot) => Promise<void>;
}

const count = z.number().int().min(1);
/** Is checked where it is used, if at all. */
const any = z.unknown().optional();
// Strict: a misspelt option of a program in JavaScript would be its default without a word.
const optionsSchema = z.strictObject({
  device: z.custom<Device>(
    (value) => typeof value === 'object' && value !== null,
    'expected one, as new CpuDevice()',
  ),
  loss: any,
  beta: z.number().positive().optional(),
  rpoAlpha: z.number().min(0).optional(),
  reference: referenceSchema.optional(),
  learningRate: z.number().min(0),
  schedule: z.enum(schedules).optional(),
  warmupSteps: z.number().min(0).optional(),
  epochs: count,
  batchSize: count,
  gradientAccumulationSteps: count,
  weightDecay: z.number().min(0).optional(),
  // Infinity clips nothing; zod's numbers are finite.
  maxGradNorm: z.custom<number>((value) => Number(value) > 0, 'expected a number above 0'),
  validationShare: z.number().min(0).lt(1),
  seed: z.number().int().min(0).max(0xffffffff),
  earlyStopping: any,
  shuffle: z.boolean().optional(),
  signal: any,
  keepsWeights: z.boolean().optional(),
  resumeFrom: any,
  afterStep: any,
} satisfies Record<keyof DpoOptions, z.ZodType>);

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
  const { error } = optionsSchema.safeParse(options);
  if (error) throw new Error(`wrong training options: ${describeIssues(error)}`);
  const { batchSize, gradientAccumulationSteps, epochs, seed, device, signal } = options;
  const { schedule, warmupSteps } = options;
  const loss = chooseLoss(options);
  const pairsOf = pairsOfExamples(examples, loss);
  const pairs = examples.flatMap(pairsOf);
  checkPairs(pairs, policy);
  const { train, validation } = splitExamples(examples, options);
  /** Batches of so many examples, as the pairs that are computed. */
  const batchesOf = (some: readonly Example[]) =>
    chunks(some, batchSize).map((batch) => batch.flatMap(pairsOf));
  const all = batchesOf([...train, ...validation]);
  const reference = createReference(policy, options.reference ?? 'start', all, { device, signal });
  const rewards = pairs.every((pair) => pair.rewards !== undefined);
  const objective = preferenceObjective(policy, loss, reference, { rewards });

  const stepsOfEpochs = Array.from({ length: epochs }, (_, epoch) => {
    const order = options.shuffle === false ? train : shuffled(train, seed, epoch);
    return chunks(batchesOf(order), gradientAccumulationSteps);
  });
  const batchesOfSteps = stepsOfEpochs.flat();
  const steps = batchesOfSteps.length;
  const stepsPerEpoch = steps / epochs;
  const events = optimize(policy.weights, objective, {
    device,
    steps,
    batches: (step) => batchesOfSteps[step],
    learningRate: learningRates(options.learningRate, { schedule, warmupSteps, steps }),
    maxGradNorm: options.maxGradNorm,
    adamw: { ...ADAMW_DEFAULTS, weightDecay: options.weightDecay ?? 0 },
    validation:
      validation.length === 0
        ? undefined
        : { batches: batchesOf(validation), everySteps: stepsPerEpoch, judge: options.earlyStopping },
    signal,
    keepsWeights: options.keepsWeights !== false || isMoving(options.reference),
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
    } else if (event.type === 'validated') {
      yield { type: 'validated', epoch, step, metrics: event.metrics };
    } else if (event.type === 'restored') {
      yield { type: 'restored', epoch, step };
    } else {
      const diverging = event.batches.flat();
      yield {
        type: 'diverged',
        epoch,
        step,
        reason: event.reason,
        pairs: diverging.map((pair) => examples.findIndex((example) => pairsOf(example).includes(pair))),
        ...(loss.isUnpaired && { desirable: diverging.map(({ rewards }) => rewards!.chosen === 1) }),
        logps: [...logpsOf(event.outputs)],
        referenceLogps: [...objective.referenceOf(diverging)],
      };
    }
  }
}

function chooseLoss({ loss, beta, rpoAlpha = 0 }: DpoOptions): PreferenceLoss {
  if (loss && beta !== undefined)
    throw new Error(
      `beta is the sigmoid loss's; the loss "${loss.name}" must be given its own when it is made`,
    );
  const scale = beta ?? 0.1;
  const chosen = loss ?? sigmoidLoss(scale);
  if (rpoAlpha === 0) return chosen;
  return mixedLoss([
    [chosen, 1],
    [sftLoss(scale), rpoAlpha],
  ]);
}

/** What of an example is computed together: a pair, or a sample with the completion that it is compared with. */
function pairsOfExamples(
  examples: readonly Example[],
  loss: PreferenceLoss,
): (example: Example) => readonly PreferencePair[] {
  if (!loss.isUnpaired) {
    const alone = examples.findIndex((example) => !('chosen' in example));
    if (alone >= 0)
      throw new Error(
        `the loss "${loss.name}" compares two completions of a prompt, and example ${alone} is a single sample; the loss kto takes those`,
      );
    return (example) => [example as PreferencePair];
  }
  const samples = examples.map((example) => ('chosen' in example ? unpair([example]) : [example]));
  const mismatched = withMismatched(samples.flat());
  const found = new Map(
    examples.map((example, index) => [example, mismatched.splice(0, samples[index].length)]),
  );
  return (example) => found.get(example)!;
}

/**
 * Validation examples are those of the first prompts of a seeded shuffle, as many as hold the share, never all: what another pair of a prompt teaches
 * would else be validated on that prompt. Of one prompt's examples the first ones of the shuffle validate; a single one serves as both.
 */
function splitExamples(examples: readonly Example[], { validationShare, seed }: DpoOptions) {
  if (validationShare === 0) return { train: examples, validation: [] };
  if (examples.length === 1) return { train: examples, validation: examples };
  const prompts = examples.map(({ prompt }) => JSON.stringify(prompt));
  const groups: (string | number)[] = new Set(prompts).size > 1 ? prompts : [...examples.keys()];
  const sizes = new Map<string | number, number>();
  for (const group of groups) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const held = new Set<string | number>();
  let wanted = examples.length * validationShare;
  for (const group of shuffled([...sizes.keys()], seed, -1).slice(0, -1)) {
    if (wanted <= 0) break;
    held.add(group);
    wanted -= sizes.get(group)!;
  }
  return {
    train: examples.filter((_, place) => !held.has(groups[place])),
    validation: examples.filter((_, place) => held.has(groups[place])),
  };
}
