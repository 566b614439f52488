/** What a training logs of its pairs. */

/**
 * Metrics of one optimizer step or one evaluation, by TRL's names (TRL docs, DPOTrainer "Logged metrics"). Those of chosen or of rejected
 * completions are absent where there are none, which only unpaired samples bring about.
 */
export interface DpoMetrics {
  loss: number;
  'rewards/chosen'?: number;
  'rewards/rejected'?: number;
  'rewards/margins'?: number;
  'rewards/accuracies'?: number;
  'logps/chosen'?: number;
  'logps/rejected'?: number;
  /** Negative log-likelihood of the chosen labels, a mean; only where the loss has an `sftWeight`, by which it is part of `loss`. */
  nll_loss?: number;
  /** Only of KTO: its estimate of how far the policy is from the reference. */
  kl?: number;
  /** L2 norm of all gradients before clipping; absent in evaluation. */
  grad_norm?: number;
  /** Learning rate this step used; absent in evaluation. */
  learning_rate?: number;
}
