/** `speech-dpo/dpo`: preference pairs, losses, the trainer, and the loop beneath it, which trains any objective. */
export {
  completionLogProbs,
  type CompletionLogProbs,
  type PromptedCompletion,
} from './completion-log-probs.js';
export { choosePair, choosePairs, makePairs, type PromptPairs } from './pairs.js';
export type { PairDrop, PairDrops, Pairing, PairRules } from './pair-rules.js';
export type { DpoMetrics } from './metrics.js';
export {
  implicitRewards,
  type OfBoth,
  type PreferenceInputs,
  type PreferenceLoss,
  type PreferenceOutputs,
} from './preference-loss.js';
export { aotLoss } from './losses/aot.js';
export { apoDownLoss, apoZeroLoss, bcoPairLoss, ncaPairLoss, sppoHardLoss } from './losses/each-side.js';
export { ktoLoss, type KtoOptions } from './losses/kto.js';
export { exoPairLoss, hingeLoss, rewardGapLoss, robustLoss, sigmoidLoss } from './losses/margin.js';
export { mixedLoss, sftLoss, type WeightedLoss } from './losses/mixed.js';
export { lossNames, namedLoss, type LossName, type LossSettings } from './losses/named.js';
export { ipoLoss, sigmoidNormLoss, simpoLoss } from './losses/length-normalized.js';
export type { MovingReference, Reference } from './reference.js';
export { unpair, type UnpairedSample } from './unpaired.js';
export {
  trainDpo,
  type DpoEvent,
  type DpoOptions,
  type Example,
  type PreferencePair,
  type TrainingSnapshot,
} from './trainer.js';
export { optimize, type OptimizeEvent, type OptimizeOptions } from '../train/optimize.js';
export { learningRates, type Schedule, type ScheduleOptions } from '../train/schedule.js';
export { earlyStopping, type StoppingMetric, type Verdict } from '../train/early-stopping.js';
export type { Arrays, BatchProgram, Objective } from '../train/objective.js';
