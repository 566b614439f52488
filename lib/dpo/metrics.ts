/** What is reported of preference pairs: means of a loss's outputs, in float64. */
import { evaluateFloat64 } from '../engine/index.js';
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
 * The logged metrics, as TRL's get_batch_loss_metrics: means of what the loss gives of each pair; an accuracy is 1 only where the chosen
 * reward is strictly above the rejected one.
 */
export function preferenceMetrics(loss: PreferenceLoss, numbers: PairNumbers): DpoMetrics {
  const pairs = numbers.policy.length / 2;
  const given = Object.entries(numbers).filter(([, data]) => data !== undefined);
  const { losses, chosenRewards, rejectedRewards } = evaluateFloat64(
    (tensors) => ({ ...computeLoss(loss, tensors as unknown as PreferenceTensors) }),
    Object.fromEntries(given.map(([name, data]) => [name, { shape: [pairs, 2], data }])),
  );
  const sums = { loss: 0, chosen: 0, rejected: 0, accurate: 0, chosenLogps: 0, rejectedLogps: 0 };
  for (let i = 0; i < pairs; i++) {
    sums.loss += losses[i];
    sums.chosen += chosenRewards[i];
    sums.rejected += rejectedRewards[i];
    sums.accurate += chosenRewards[i] > rejectedRewards[i] ? 1 : 0;
    sums.chosenLogps += numbers.policy[2 * i];
    sums.rejectedLogps += numbers.policy[2 * i + 1];
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
