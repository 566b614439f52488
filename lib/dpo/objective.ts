/** Training on preference pairs as an objective: any preference loss, with RPO's term beside it. */
import { buffersOf, type Model } from '../policy/architecture.js';
import type { Arrays, Objective } from '../train/objective.js';
import {
  batchShape,
  collatePairs,
  labelCounts,
  ofEachPair,
  type BatchShape,
  type PreferencePair,
} from './batch.js';
import { metricsOfLoss, type DpoMetrics, type PairNumbers } from './metrics.js';
import { pairProgram } from './pair-program.js';
import type { PreferenceLoss } from './preference-loss.js';

type Pairs = readonly PreferencePair[];

export interface PreferenceObjective extends Objective<Pairs, BatchShape, DpoMetrics> {
  /** The reference's log-probabilities of pairs, chosen and rejected, pair after pair; none where the loss needs no reference. */
  referenceOf(pairs: Pairs): Float32Array;
}

/**
 * The reference is the policy before the first step: its log-probabilities of `referenceBatches` are computed once, by `prepare`.
 */
export function preferenceObjective(
  policy: Model,
  loss: PreferenceLoss,
  rpoAlpha: number,
  referenceBatches: readonly Pairs[],
): PreferenceObjective {
  const rewards = referenceBatches.flat().every((pair) => pair.rewards !== undefined);
  const measure = metricsOfLoss(loss);
  const reference = new Map<PreferencePair, ArrayLike<number>>();
  const referenceOf = (pairs: Pairs) => ofEachPair(pairs, (pair) => reference.get(pair) ?? []);
  /** What the loss reads beside the policy's log-probabilities. */
  const given = (pairs: Pairs) => ({
    ...(loss.needsReference ? { reference: referenceOf(pairs) } : {}),
    ...(rewards
      ? { rewards: ofEachPair(pairs, (pair) => [pair.rewards!.chosen, pair.rewards!.rejected]) }
      : {}),
  });
  return {
    fixed: buffersOf(policy),
    referenceOf,
    shape: (pairs) => batchShape(pairs, policy.config),
    program: (shape) => pairProgram(policy, shape, { loss, rpoAlpha, rewards }),
    collate: (pairs) => collatePairs(pairs, batchShape(pairs, policy.config), policy),
    targets(pairs, step) {
      const pairsOfStep = step.flat();
      return {
        ...given(pairs),
        labelCounts: labelCounts(pairs),
        // Means are over the step, so that its micro-batches add up to one batch.
        pairWeights: new Float32Array(pairs.length).fill(1 / pairsOfStep.length),
        ...(rpoAlpha === 0 ? {} : { chosenLabels: Float32Array.of(chosenLabelsOf(pairsOfStep)) }),
      };
    },
    metrics(step, outputs) {
      const pairs = step.flat();
      const numbers: PairNumbers = { policy: logpsOf(outputs), labels: labelCounts(pairs), ...given(pairs) };
      return withNll(measure(numbers), pairs, rpoAlpha);
    },
    async prepare(forward) {
      if (!loss.needsReference) return;
      for (const batch of referenceBatches) {
        const { logps } = await forward(batch);
        batch.forEach((pair, i) => reference.set(pair, logps.slice(2 * i, 2 * i + 2)));
      }
    },
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

/** Adds RPO's term: log-probabilities of the chosen completions over their labels, all pairs together. */
function withNll(metrics: DpoMetrics, pairs: Pairs, rpoAlpha: number): DpoMetrics {
  if (rpoAlpha === 0) return metrics;
  const labels = chosenLabelsOf(pairs) / pairs.length;
  const nll = -metrics['logps/chosen'] / labels;
  return { ...metrics, loss: metrics.loss + rpoAlpha * nll, nll_loss: nll };
}
