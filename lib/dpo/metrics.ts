/** What is reported of preference pairs: means of a loss's outputs, in float64. */
import { traceFloat64, type Float64Formula } from '../engine/index.js';
import { computeLoss, type PreferenceLoss, type PreferenceTensors } from './preference-loss.js';

/** Metrics of one optimizer step or one evaluation, by TRL's names (TRL docs, DPOTrainer "Logged metrics"). */
export interface DpoMetrics {
  loss: number;
  'rewards/chosen': number;
  'rewards/rejected': number;
  'rewards/margins': number;
  'rewards/accuracies': number;
  'logps/chosen': number;
  'logps/rejected': number;
  /** Negative log-likelihood of the chosen labels, a mean; only with rpoAlpha, whose share of `loss` it is. */
  nll_loss?: number;
  /** L2 norm of all gradients before clipping; absent in evaluation. */
  grad_norm?: number;
  /** Learning rate this step used; absent in evaluation. */
  learning_rate?: number;
}

/** Numbers of pairs, laid out [pair][chosen, rejected]. */
export type PairNumbers = { readonly [Name in keyof PreferenceTensors]: ArrayLike<number> };

/**
 * Of the numbers of pairs the logged metrics, as TRL's get_batch_loss_metrics: means of what the loss gives of each pair; an accuracy is 1
 * only where the chosen reward is strictly above the rejected one. The loss's formula is traced once for each number of pairs.
 */
export function metricsOfLoss(loss: PreferenceLoss): (numbers: PairNumbers) => DpoMetrics {
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
  return (numbers) => {
    const pairs = numbers.policy.length / 2;
    const given = Object.fromEntries(Object.entries(numbers).filter(([, data]) => data !== undefined));
    return meansOf(formulaOf(Object.keys(given), pairs)(given), numbers.policy, pairs);
  };
}

function meansOf(
  { losses, chosenRewards, rejectedRewards }: Record<string, Float64Array>,
  logps: ArrayLike<number>,
  pairs: number,
): DpoMetrics {
  const sums = { loss: 0, chosen: 0, rejected: 0, accurate: 0, chosenLogps: 0, rejectedLogps: 0 };
  for (let i = 0; i < pairs; i++) {
    sums.loss += losses[i];
    sums.chosen += chosenRewards[i];
    sums.rejected += rejectedRewards[i];
    sums.accurate += chosenRewards[i] > rejectedRewards[i] ? 1 : 0;
    sums.chosenLogps += logps[2 * i];
    sums.rejectedLogps += logps[2 * i + 1];
  }
  return {
    loss: sums.loss / pairs,
    'rewards/chosen': sums.chosen / pairs,
    'rewards/rejected': sums.rejected / pairs,
    'rewards/margins': (sums.chosen - sums.rejected) / pairs,
    'rewards/accuracies': sums.accurate / pairs,
    'logps/chosen': sums.chosenLogps / pairs,
    'logps/rejected': sums.rejectedLogps / pairs,
  };
}
