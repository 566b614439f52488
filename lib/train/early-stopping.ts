/** What early stopping looks at: the validation pairs' `rewards/accuracies`, or their `loss`. */
export const stoppingMetrics = ['accuracy', 'loss'] as const;
export type StoppingMetric = (typeof stoppingMetrics)[number];

interface Validation {
  loss: number;
  'rewards/accuracies'?: number;
}

/** What a validation means for the training that it is of. */
export interface Verdict {
  /** It is better than all before it: the training ends with these weights, unless a later one is better still. */
  isBest: boolean;
  /** The training ends. */
  isLast: boolean;
}

/**
 * Judges each validation of a training, as transformers' EarlyStoppingCallback with its threshold of 0 and `load_best_model_at_end`: the
 * training ends once `patience` validations in a row were no better than the best before them. An equal one is no better.
 *
 * @throws Error where `metric` is the accuracy and a validation has none
 * @param earlier what a training that goes on has validated already
 */
export function earlyStopping(
  { metric, patience }: { metric: StoppingMetric; patience: number },
  earlier: readonly Validation[] = [],
): (validation: Validation) => Verdict {
  // Of either, higher is better.
  const valueOf = ({ loss, 'rewards/accuracies': accuracy }: Validation): number => {
    if (metric === 'loss') return -loss;
    if (accuracy === undefined) throw new Error('this loss gives no accuracy to stop by: stop by the loss');
    return accuracy;
  };
  let best = -Infinity;
  let worse = 0;
  const judge = (validation: Validation): Verdict => {
    const value = valueOf(validation);
    const isBest = value > best;
    worse = isBest ? 0 : worse + 1;
    best = Math.max(best, value);
    return { isBest, isLast: worse >= patience };
  };
  for (const validation of earlier) judge(validation);
  return judge;
}
