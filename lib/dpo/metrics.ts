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
