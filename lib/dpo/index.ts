/** `speech-dpo/dpo`: preference pairs, losses, the trainer, and the loop beneath it, which trains any objective. */
export { choosePair, choosePairs, type PairRules } from './pairs.js';
export {
  completionLogProbs,
  type CompletionLogProbs,
  type PromptedCompletion,
} from './completion-log-probs.js';
export type { DpoMetrics } from './metrics.js';
export {
  implicitRewards,
  type OfBoth,
  type PreferenceInputs,
  type PreferenceLoss,
  type PreferenceOutputs,
} from './preference-loss.js';
export { sigmoidLoss } from './losses/margin.js';
export { trainDpo, type DpoEvent, type DpoOptions, type PreferencePair } from './trainer.js';
export { linearDecay, optimize, type OptimizeEvent, type OptimizeOptions } from '../train/optimize.js';
export type { Arrays, BatchProgram, Objective } from '../train/objective.js';
