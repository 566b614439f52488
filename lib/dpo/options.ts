/** The options of `trainDpo`: what they are, what numbers they may have, and the loss that they name. */
import { z } from 'zod';
import type { Device } from '../engine/index.js';
import type { Verdict } from '../train/early-stopping.js';
import { schedules, type ScheduleOptions } from '../train/schedule.js';
import type { TrainingSnapshot } from '../train/snapshot.js';
import { describeIssues } from '../zod-message.js';
import { sigmoidLoss } from './losses/margin.js';
import { mixedLoss, sftLoss } from './losses/mixed.js';
import type { DpoMetrics } from './metrics.js';
import type { PreferenceLoss } from './preference-loss.js';
import { referenceSchema, type Reference } from './reference.js';

/** How a policy is trained on preference pairs. Where TRL's trainer has a default for an option that may be left out, it is the same. */
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
   * in a batch. Default 1.
   */
  gradientAccumulationSteps?: number;
  /**
   * Decoupled weight decay (AdamW): before each step every trained matrix is multiplied by 1 - learning rate · weightDecay. As under TRL,
   * biases and layer norms do not decay; the embedding, positions and adapters do. Default 0.
   */
  weightDecay?: number;
  /** What the gradient's global L2 norm is clipped to; Infinity clips nothing. Default 1. */
  maxGradNorm?: number;
  /** Share of the pairs kept out of training for validation, as `splitByPrompt` does; runs take 0.1. Default 0: there is no validation. */
  validationShare?: number;
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
   * False frees the trained weights in `policy` once the device has them, a copy less in memory: where the training does not finish, they are
   * lost, and the policy must be loaded again. A moving reference needs them, so that they are kept all the same. Default true.
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
  gradientAccumulationSteps: count.optional(),
  weightDecay: z.number().min(0).optional(),
  // Infinity clips nothing; zod's numbers are finite.
  maxGradNorm: z
    .custom<number>((value) => typeof value === 'number' && value > 0, 'expected a number above 0')
    .optional(),
  validationShare: z.number().min(0).lt(1).optional(),
  seed: z.number().int().min(0).max(0xffffffff),
  earlyStopping: any,
  shuffle: z.boolean().optional(),
  signal: any,
  keepsWeights: z.boolean().optional(),
  resumeFrom: any,
  afterStep: any,
} satisfies Record<keyof DpoOptions, z.ZodType>);

/** @throws Error in one sentence if an option is unknown, or a number that nothing can be trained by */
export function checkOptions(options: DpoOptions): void {
  const { error } = optionsSchema.safeParse(options);
  if (error) throw new Error(`wrong training options: ${describeIssues(error)}`);
}

/**
 * The loss that `loss`, `beta` and `rpoAlpha` name.
 *
 * @throws Error in one sentence if both `beta` and `loss` are given
 */
export function lossOf({ loss, beta, rpoAlpha = 0 }: DpoOptions): PreferenceLoss {
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
