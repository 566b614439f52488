/** What early stopping looks at: the validation pairs' `rewards/accuracies`, or their `loss`. */
export const stoppingMetrics = ['accuracy', 'loss'] as const;
export type StoppingMetric = (typeof stoppingMetrics)[number];

interface Validation {
  loss: number;
  'rewards/accuracies'?: number;
}

/**
 * Whether a training should end, asked after each validation: once `patience` validations in a row were no better than the best before them,
 * as transformers' EarlyStoppingCallback decides with its threshold of 0. An equal one is no better.
 *
 * @throws Error where `metric` is the accuracy and a validation has none
 * @param earlier what a training that goes on has validated already
 */
export function earlyStopping(
  { metric, patience }: { metric: StoppingMetric; patience: number },
  earlier: readonly Validation[] = [],
): (validation: Validation) => boolean {
  // Of either, higher is better.
  const valueOf = ({ loss, 'rewards/accuracies': accuracy }: Validation): number => {
    if (metric === 'loss') return -loss;
    if (accuracy === undefined) throw new Error('this loss gives no accuracy to stop by: stop by the loss');
    return accuracy;
  };
  let best = -Infinity;
  let worse = 0;
  const isEnough = (validation: Validation): boolean => {
    const value = valueOf(validation);
    worse = value > best ? 0 : worse + 1;
    best = Math.max(best, value);
    return worse >= patience;
  };
  for (const validation of earlier) isEnough(validation);
  return isEnough;
}
