/** `speech-dpo/dpo`: preference pairs, losses, and the trainer. */
export { choosePair, choosePairs, type PairRules } from './pairs.js';
export type { DpoMetrics } from './metrics.js';
export { trainDpo, type DpoEvent, type DpoOptions, type PreferencePair } from './trainer.js';
