/** What is reported of preference pairs: means of a loss's outputs, in float64. */
import { traceFloat64, type Float64Formula } from '../engine/index.js';
import { meanOf, sumOf } from '../mean.js';
import type { DpoMetrics } from './logged-metrics.js';
import {
  computeLoss,
  ofAllPairs,
  type LossNumbers,
  type PairNumbers,
  type PreferenceLoss,
  type PreferenceTensors,
} from './preference-loss.js';

export type { DpoMetrics } from './logged-metrics.js';

/**
 * Of the numbers of each batch's pairs the logged metrics of all of them: the loss's own, or as TRL's get_batch_loss_metrics means of what the
 * loss gives of each pair; an accuracy is 1 only where the chosen reward is strictly above the rejected one. The loss's formula is traced once
 * for each number of pairs.
 */
export function metricsOfLoss(loss: PreferenceLoss): (batches: readonly PairNumbers[]) => DpoMetrics {
  const formulas = new Map<string, Float64Formula>();
  const formulaOf = (names: readonly string[], pairs: number): Float64Formula => {
    const key = [pairs, ...names].join();
    const formula =
      formulas.get(key) ??
      traceFloat64(
        (tensors) => ({ ...computeLoss(loss, tensors as unknown as PreferenceTensors) }),
        Object.fromEntries(names.map((name) => [name, [pairs, 2]])),
      );
    formulas.set(key, formula);
    return formula;
  };
  const outputsOf = (numbers: PairNumbers) => {
    const given = Object.fromEntries(Object.entries(numbers).filter(([, data]) => data !== undefined));
    return formulaOf(Object.keys(given), numbers.policy.length / 2)(given);
  };
  return (batches) => {
    const outputs = batches.map(outputsOf);
    const all = (name: string) => outputs.flatMap((output) => [...output[name]]);
    const numbers: LossNumbers = {
      losses: all('losses'),
      chosenRewards: all('chosenRewards'),
      rejectedRewards: all('rejectedRewards'),
    };
    const metrics = loss.metrics?.(numbers, batches) ?? meansOf(numbers, ofAllPairs(batches, 'policy'));
    return withNll(metrics, batches, loss.sftWeight ?? 0);
  };
}

function meansOf(
  { losses, chosenRewards, rejectedRewards }: LossNumbers,
  logps: { chosen: readonly number[]; rejected: readonly number[] },
): DpoMetrics {
  const accurate = chosenRewards.filter((reward, i) => reward > rejectedRewards[i]).length;
  return {
    loss: meanOf(losses),
    'rewards/chosen': meanOf(chosenRewards),
    'rewards/rejected': meanOf(rejectedRewards),
    'rewards/margins': (sumOf(chosenRewards) - sumOf(rejectedRewards)) / losses.length,
    'rewards/accuracies': accurate / losses.length,
    'logps/chosen': meanOf(logps.chosen),
    'logps/rejected': meanOf(logps.rejected),
  };
}

/** Adds the negative log-likelihood of the chosen completions over their labels, all pairs together. */
function withNll(metrics: DpoMetrics, batches: readonly PairNumbers[], weight: number): DpoMetrics {
  if (weight === 0) return metrics;
  const [logps, labels] = [ofAllPairs(batches, 'policy'), ofAllPairs(batches, 'labels')];
  const nll = -meanOf(logps.chosen) / meanOf(labels.chosen);
  return { ...metrics, loss: metrics.loss + weight * nll, nll_loss: nll };
}
