import type { RankedCompletion } from '../dpo/pairs.js';
import type { GuardFigures } from '../reward/guard.js';

/** One completion of a prompt (codes of codebook 0) with what the run's reward and guards say of it. */
export interface ScoredCompletion extends RankedCompletion {
  codes: number[];
  /** False where it was cut off at the longest length. */
  finished: boolean;
  details: Record<string, number>;
  /** What the guards could measure of it. */
  figures: GuardFigures;
  /** Why it has no reward. */
  dropped?: string;
  /** Which of its figures is not finite: "reward NaN". It has no reward either, and the run stops. */
  invalid?: string;
}
