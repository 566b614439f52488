/** What a preference loss is: a formula of log-probabilities, written once for the graph that trains and for the metrics. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { exactScalar, tf } from '../engine/index.js';
import type { DpoMetrics } from './logged-metrics.js';

/** A number of each of B pairs' two completions: [B] and [B]. */
export interface OfBoth {
  chosen: Tensor;
  rejected: Tensor;
}

/** What a loss may be a function of. Reading what is not there throws, in a sentence. */
export interface PreferenceInputs {
  /** Log-probabilities of the completions under the policy: sums over their labels. */
  readonly policy: OfBoth;
  /** The same under the reference; there if the loss says `needsReference`. */
  readonly reference: OfBoth;
  /** Numbers of labels. */
  readonly labels: OfBoth;
  /** What the reward said of the completions; there if every pair has `rewards`. */
  readonly rewards: OfBoth;
}

/** The policy's implicit rewards of each pair's completions, which the metrics are of: [B] each. */
export interface ImplicitRewards {
  chosenRewards: Tensor;
  rejectedRewards: Tensor;
}

/** What a loss gives. */
export interface PreferenceOutputs extends ImplicitRewards {
  /** What is minimized, of each pair, [B]: its mean over the pairs of a step. */
  losses: Tensor;
}

/**
 * What implicit rewards are: beta times log (policy / reference) of a completion (`implicitRewards`), beta times log policy of it, or the mean of
 * that over its labels.
 */
export type RewardKind = 'ratio' | 'likelihood' | 'mean likelihood';

/**
 * A loss of preference pairs, as `trainDpo` takes one.
 *
 *     const hinge: PreferenceLoss = {
 *       name: 'hinge',
 *       needsReference: true,
 *       compute(inputs) {
 *         const { chosenRewards, rejectedRewards } = implicitRewards(inputs, 0.1);
 *         const losses = tf.relu(tf.sub(1, tf.sub(chosenRewards, rejectedRewards)));
 *         return { losses, chosenRewards, rejectedRewards };
 *       },
 *     };
 */
export interface PreferenceLoss {
  readonly name: string;
  /** False spares the pass that computes the reference's log-probabilities. */
  readonly needsReference: boolean;
  /** What losses are counted in: "nats" where they are negative log-likelihoods or divergences; absent of others, which are mere numbers. */
  readonly unit?: 'nats';
  /** What its implicit rewards are, of either completion; absent where charts should name no unit of them. */
  readonly rewardKind?: RewardKind;
  /**
   * Weight of the chosen completions' negative log-likelihood, a mean over the labels of a step (`sftLoss`), beside the mean of `compute`'s
   * losses; default 0.
   */
  readonly sftWeight?: number;
  /** Of samples that stand alone, each judged desirable or not (`ktoLoss`), in place of pairs. */
  readonly isUnpaired?: true;
  /**
   * TensorFlow.js operators on [B] tensors, differentiable in `policy`. B are the pairs of one batch: where a step has several, a loss that
   * compares pairs with each other sees those of a batch. Compiled in float32 to train, evaluated in float64 (`traceFloat64`) for the metrics.
   */
  compute(inputs: PreferenceInputs): PreferenceOutputs;
  /**
   * In place of the usual means: of what `compute` gives of all pairs of a step, and of what it was given. What `sftWeight` adds to the loss is
   * added behind it.
   */
  metrics?(outputs: LossNumbers, batches: readonly PairNumbers[]): DpoMetrics;
}

/** @throws Error in one sentence for a factor by which nothing is learned, or the opposite */
export function checkFactor(name: string, factor: number, example: number): void {
  if (!(factor > 0 && factor < Infinity))
    throw new Error(`${name} is ${factor}: a number above 0 is expected, as ${example}`);
}

/** @throws Error in one sentence as `checkFactor`, of implicit rewards */
export function checkBeta(beta: number): void {
  checkFactor('beta', beta, 0.1);
}

/**
 * The implicit rewards of Rafailov et al. 2023 (section 4): beta * (log policy - log reference) of either completion, [B].
 * @param beta how far the policy may leave the reference
 * @throws Error in one sentence as `checkBeta`
 */
export function implicitRewards(
  { policy, reference }: Pick<PreferenceInputs, 'policy' | 'reference'>,
  beta: number,
): ImplicitRewards {
  checkBeta(beta);
  const scale = exactScalar(beta);
  return {
    chosenRewards: tf.mul(tf.sub(policy.chosen, reference.chosen), scale),
    rejectedRewards: tf.mul(tf.sub(policy.rejected, reference.rejected), scale),
  };
}

/** What a loss is called, and what it and its implicit rewards are counted in. */
export type Named = Pick<PreferenceLoss, 'name' | 'unit' | 'rewardKind'>;

/** What a loss of `implicitRewards` leaves to say. */
export type NamedOfRatios = Omit<Named, 'rewardKind'>;

/**
 * A loss against a reference, whose implicit rewards are `implicitRewards`.
 *
 * @param compute losses [B] of these and of the inputs
 * @throws Error in one sentence as `checkBeta`: before anything is computed, as for a loss's other numbers
 */
export function lossOfRewards(
  named: NamedOfRatios,
  beta: number,
  compute: (rewards: ImplicitRewards, inputs: PreferenceInputs) => Tensor,
): PreferenceLoss {
  checkBeta(beta);
  return {
    ...named,
    rewardKind: 'ratio',
    needsReference: true,
    compute(inputs) {
      const rewards = implicitRewards(inputs, beta);
      return { losses: compute(rewards, inputs), ...rewards };
    },
  };
}

/** A loss's inputs as arrays have them: [B, 2], chosen and rejected. */
export type PreferenceTensors = Readonly<
  { policy: Tensor; labels: Tensor } & Partial<Record<'reference' | 'rewards', Tensor>>
>;

/** Numbers of a batch's pairs, laid out [pair][chosen, rejected]. */
export type PairNumbers = { readonly [Name in keyof PreferenceTensors]: ArrayLike<number> };

/** What a loss gives of each pair, of all batches together. */
export type LossNumbers = Readonly<Record<keyof PreferenceOutputs, readonly number[]>>;

/** Numbers of all batches' pairs, one after the other; none where they are not given. */
export function ofAllPairs(
  batches: readonly PairNumbers[],
  name: 'policy' | 'labels' | 'rewards',
): { chosen: number[]; rejected: number[] } {
  const numbers = batches.flatMap((batch) => Array.from(batch[name] ?? []));
  return {
    chosen: numbers.filter((_, i) => i % 2 === 0),
    rejected: numbers.filter((_, i) => i % 2 === 1),
  };
}

/**
 * `loss` of [B, 2] tensors.
 * @throws Error naming the loss that reads what is not there, or gives something else than a number of each pair
 */
export function computeLoss(loss: PreferenceLoss, tensors: PreferenceTensors): PreferenceOutputs {
  const missing = (what: string): never => {
    throw new Error(`the loss "${loss.name}" reads ${what}`);
  };
  if (typeof loss.compute !== 'function')
    throw new Error(
      'the loss that is given is none: it must be an object { name, needsReference, compute }, as ipoLoss(1) makes one',
    );
  // What a program in JavaScript computes may be anything.
  const outputs: Partial<PreferenceOutputs> | undefined = loss.compute({
    policy: ofBoth(tensors.policy),
    labels: ofBoth(tensors.labels),
    get reference() {
      return ofBoth(tensors.reference ?? missing('the reference: it must say needsReference: true'));
    },
    get rewards() {
      return ofBoth(tensors.rewards ?? missing('rewards: every pair must have them'));
    },
  });
  const [pairs] = tensors.policy.shape;
  for (const name of ['losses', 'chosenRewards', 'rejectedRewards'] as const) {
    const shape = outputs?.[name]?.shape;
    if (!shape) throw new Error(`the loss "${loss.name}" must give ${name}, a tensor of shape [${pairs}]`);
    if (shape.length !== 1 || shape[0] !== pairs)
      throw new Error(
        `the loss "${loss.name}" must give ${name} of shape [${pairs}], not [${shape.join(', ')}]`,
      );
  }
  return outputs as PreferenceOutputs;
}

/** [B, 2] as two times [B]. */
export function ofBoth(tensor: Tensor): OfBoth {
  const [chosen, rejected] = tf.split(tensor, 2, 1).map((column) => tf.reshape(column, [-1]));
  return { chosen, rejected };
}
