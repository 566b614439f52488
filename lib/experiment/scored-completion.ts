import type { GuardFigures } from '../reward/guard.js';

/** Of a figure of a completion: the variance of larger ones is infinite. */
export const LARGEST = 1e150;

interface Written {
  /** Of codebook 0. */
  codes: number[];
  /** False where it was cut off at the longest length. */
  finished: boolean;
}

/** A completion that has a reward. */
export interface RewardedCompletion extends Written {
  reward: number;
  /** What completions are compared by. */
  rank: number;
  details: Readonly<Record<string, number>>;
  /** What the guards could measure of it. */
  figures: GuardFigures;
  dropped?: undefined;
  invalid?: undefined;
}

/** What stands in the place of a reward and what goes with it. */
interface Unrewarded extends Written {
  reward: null;
  rank: null;
  details: Record<string, never>;
  figures: Record<string, never>;
}

/** A completion that cannot be scored for a reason of its own. */
export interface DroppedCompletion extends Unrewarded {
  dropped: string;
  invalid?: undefined;
}

/** A completion with a figure that is NaN, or whose size is more than {@link LARGEST}: the run stops. */
export interface InvalidCompletion extends Unrewarded {
  dropped?: undefined;
  /** Which figure: "reward NaN". */
  invalid: string;
}

/** One completion of a prompt with what the run's reward and guards say of it. evaluations.json keeps it as it is. */
export type ScoredCompletion = RewardedCompletion | DroppedCompletion | InvalidCompletion;
