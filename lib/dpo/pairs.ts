/** One completion of a prompt with what a reward said of it; null where the reward could not score it. */
export interface RankedCompletion {
  reward: number | null;
  /** What completions are compared by; the reward itself unless the reward ranks by something else. */
  rank: number | null;
}

type Ranked<T> = T & { reward: number; rank: number };

/** A better and a worse completion of a prompt, and the mean reward of all its scored completions. */
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
  const choices = choosePairs(completions, 1);
  return 'skipped' in choices ? choices : choices[0];
}

/**
 * Pairs the best completion with the worst, the second best with the second worst, and so on: at most `count` pairs, fewer where the ranks
 * meet. No completion is in two pairs. The first pair and the skipping of prompts are those of `choosePair`.
 */
export function choosePairs<T extends RankedCompletion>(
  completions: readonly T[],
  count: number,
): PreferenceChoice<T>[] | SkippedPrompt {
  const valid = completions.filter(
    (completion): completion is Ranked<T> => completion.reward !== null && completion.rank !== null,
  );
  if (valid.length < 2) {
    return {
      skipped: `only ${valid.length} of ${completions.length} samples could be scored; a pair needs 2`,
    };
  }
  // Sorting is stable, so that of equal ranks the first completion comes first from either end.
  const best = valid.toSorted((a, b) => b.rank - a.rank);
  const worst = valid.toSorted((a, b) => a.rank - b.rank);
  const averageReward = valid.reduce((total, { reward }) => total + reward, 0) / valid.length;
  const pairs = best
    .slice(0, Math.min(count, Math.floor(valid.length / 2)))
    .map((chosen, place) => ({ chosen, rejected: worst[place], averageReward }))
    .filter(({ chosen, rejected }) => chosen.rank > rejected.rank);
  if (pairs.length > 0) return pairs;
  return { skipped: `all ${valid.length} samples rank the same; a pair needs a better and a worse one` };
}
