/** One completion of a prompt with what a reward said of it; null where the reward could not score it. */
export interface RankedCompletion {
  reward: number | null;
  /** What completions are compared by; the reward itself unless the reward ranks by something else. */
  rank: number | null;
}

type Ranked<T> = T & { reward: number; rank: number };

/** The best and the worst completion of a prompt, and the mean reward of all its scored completions. */
export interface PreferenceChoice<T> {
  chosen: Ranked<T>;
  rejected: Ranked<T>;
  averageReward: number;
}

/** Why a prompt gives no pair, as a sentence. */
export interface SkippedPrompt {
  skipped: string;
}

/**
 * Chooses the completion with the highest rank and rejects the one with the lowest. Of equal ranks the first completion wins, as numpy's
 * argmax and argmin do. A prompt is skipped when fewer than two completions have a reward or when all ranks are equal.
 */
export function choosePair<T extends RankedCompletion>(
  completions: readonly T[],
): PreferenceChoice<T> | SkippedPrompt {
  const valid = completions.filter(
    (completion): completion is Ranked<T> => completion.reward !== null && completion.rank !== null,
  );
  if (valid.length < 2) {
    return {
      skipped: `only ${valid.length} of ${completions.length} samples could be scored; a pair needs 2`,
    };
  }
  const chosen = valid.reduce((best, completion) => (completion.rank > best.rank ? completion : best));
  const rejected = valid.reduce((worst, completion) => (completion.rank < worst.rank ? completion : worst));
  if (chosen.rank === rejected.rank) {
    return { skipped: `all ${valid.length} samples rank the same; a pair needs a better and a worse one` };
  }
  const averageReward = valid.reduce((total, { reward }) => total + reward, 0) / valid.length;
  return { chosen, rejected, averageReward };
}
