/** What early stopping looks at: the validation pairs' `rewards/accuracies`, or their `loss`. */
export const stoppingMetrics = ['accuracy', 'loss'] as const;
export type StoppingMetric = (typeof stoppingMetrics)[number];

interface Validation {
  loss: number;
  'rewards/accuracies': number;
}

/**
 * Whether a training should end, asked after each validation: once `patience` validations in a row were no better than the best before them,
 * as transformers' EarlyStoppingCallback decides with its threshold of 0. An equal one is no better.
 *
 * @param earlier what a training that goes on has validated already
 */
export function earlyStopping(
  { metric, patience }: { metric: StoppingMetric; patience: number },
  earlier: readonly Validation[] = [],
): (validation: Validation) => boolean {
  // Of either, higher is better.
  const valueOf = (validation: Validation) =>
    metric === 'loss' ? -validation.loss : validation['rewards/accuracies'];
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
