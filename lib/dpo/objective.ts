/** Training on preference pairs as an objective, by any preference loss. */
import { buffersOf, type Model } from '../policy/architecture.js';
import { frozenOf } from '../policy/lora.js';
import type { Arrays, Objective } from '../train/objective.js';
import {
  batchShape,
  collatePairs,
  labelCounts,
  ofEachPair,
  type BatchShape,
  type PreferencePair,
} from './batch.js';
import { metricsOfLoss, type DpoMetrics } from './metrics.js';
import { pairProgram } from './pair-program.js';
import type { PairNumbers, PreferenceLoss } from './preference-loss.js';
import type { ReferenceLogps } from './reference.js';

type Pairs = readonly PreferencePair[];

export interface PreferenceObjective extends Objective<Pairs, BatchShape, DpoMetrics> {
  /** The reference's log-probabilities of pairs, chosen and rejected, pair after pair; none where the loss needs no reference. */
  referenceOf(pairs: Pairs): Float32Array;
}

/** @param reference of all pairs that are trained on or validated with; asked where the loss needs one */
export function preferenceObjective(
  policy: Model,
  loss: PreferenceLoss,
  reference: ReferenceLogps,
  { rewards }: { rewards: boolean },
): PreferenceObjective {
  const measure = metricsOfLoss(loss);
  const referenceOf = (pairs: Pairs) =>
    ofEachPair(pairs, (pair) => (loss.needsReference ? reference.of(pair) : []));
  /** What the loss reads beside the policy's log-probabilities. */
  const given = (pairs: Pairs) => ({
    ...(loss.needsReference ? { reference: referenceOf(pairs) } : {}),
    ...(rewards
      ? { rewards: ofEachPair(pairs, (pair) => [pair.rewards!.chosen, pair.rewards!.rejected]) }
      : {}),
  });
  return {
    fixed: buffersOf(policy),
    frozen: frozenOf(policy),
    referenceOf,
    shape: (pairs) => batchShape(pairs, policy.config),
    program: (shape) => pairProgram(policy, shape, { loss, rewards }),
    collate: (pairs) => collatePairs(pairs, batchShape(pairs, policy.config), policy),
    targets(pairs, step) {
      const pairsOfStep = step.flat();
      const isMixed = (loss.sftWeight ?? 0) !== 0;
      return {
        ...given(pairs),
        labelCounts: labelCounts(pairs),
        // Means are over the step, so that its micro-batches add up to one batch.
        pairWeights: new Float32Array(pairs.length).fill(1 / pairsOfStep.length),
        ...(isMixed && { chosenLabels: Float32Array.of(chosenLabelsOf(pairsOfStep)) }),
      };
    },
    metrics(step, outputs) {
      const numbersOf = (pairs: Pairs, i: number): PairNumbers => ({
        policy: logpsOf([outputs[i]]),
        labels: labelCounts(pairs),
        ...given(pairs),
      });
      return measure(step.map(numbersOf));
    },
    async prepare(forward) {
      if (loss.needsReference) await reference.prepare(forward);
    },
    stepped: (step, read) => reference.stepped(step, read),
    snapshot: () => reference.weights(),
    restore: async (weights) => (weights.size > 0 ? reference.restore(weights) : undefined),
  };
}

/** The policy's log-probabilities of a step's pairs, chosen and rejected, pair after pair. */
export function logpsOf(outputs: readonly Arrays[]): Float32Array {
  return Float32Array.from(outputs.flatMap(({ logps }) => [...logps]));
}

/** Labels of the chosen completions. */
function chosenLabelsOf(pairs: Pairs): number {
  return pairs.reduce((sum, { chosen }) => sum + chosen.length, 0);
}
