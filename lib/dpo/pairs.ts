/** One completion of a prompt with what a reward said of it; null where the reward could not score it. */
export interface RankedCompletion {
  reward: number | null;
  /** What completions are compared by; the reward itself unless the reward ranks by something else. */
  rank: number | null;
  /** False where it was cut off at the longest length: it is never chosen, or a policy learns not to end. Default true. */
  finished?: boolean;
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

/** What a pair must fulfil beyond a better and a worse rank. */
export interface PairRules<T> {
  /** Least difference between chosen and rejected reward; default 0. */
  minMargin?: number;
  /** Figures, higher is better, in none of which the chosen completion may be below the rejected one (Pareto); default none. */
  notWorseIn?: (completion: T) => Readonly<Record<string, number>>;
}

/**
 * Chooses the completion with the highest rank and rejects the one with the lowest. Of equal ranks the first completion wins, as numpy's
 * argmax and argmin do. A prompt is skipped when fewer than two completions have a reward or when all ranks are equal. A reward that is
 * no finite number counts as none; a completion that did not end may be rejected, but is not chosen.
 */
export function choosePair<T extends RankedCompletion>(
  completions: readonly T[],
  rules: PairRules<T> = {},
): PreferenceChoice<T> | SkippedPrompt {
  const choices = choosePairs(completions, 1, rules);
  return 'skipped' in choices ? choices : choices[0];
}

/**
 * Pairs the best completion with the worst, the second best with the second worst, and so on: at most `count` pairs, fewer where the ranks
 * meet. Where rules forbid a pair, the best completion takes the next worst that they allow. No completion is in two pairs. Without rules the
 * first pair and the skipping of prompts are those of `choosePair`.
 */
export function choosePairs<T extends RankedCompletion>(
  completions: readonly T[],
  count: number,
  rules: PairRules<T> = {},
): PreferenceChoice<T>[] | SkippedPrompt {
  const valid = completions.filter(isRanked);
  if (valid.length < 2) {
    return {
      skipped: `only ${valid.length} of ${completions.length} samples could be scored; a pair needs 2`,
    };
  }
  // Sorting is stable, so that of equal ranks the first completion comes first from either end.
  const best = valid.toSorted((a, b) => b.rank - a.rank);
  const worst = valid.toSorted((a, b) => a.rank - b.rank);
  if (best[0].rank === worst[0].rank) {
    return { skipped: `all ${valid.length} samples rank the same; a pair needs a better and a worse one` };
  }
  const averageReward = valid.reduce((total, { reward }) => total + reward, 0) / valid.length;
  const pairs: PreferenceChoice<T>[] = [];
  const used = new Set<T>();
  for (const chosen of best) {
    if (pairs.length === count) break;
    if (used.has(chosen)) continue;
    const rejected = worst.find((other) => !used.has(other) && isAllowed(chosen, other, rules));
    if (!rejected) continue;
    used.add(chosen).add(rejected);
    pairs.push({ chosen, rejected, averageReward });
  }
  if (pairs.length > 0) return pairs;
  return {
    skipped: `no two of its ${valid.length} samples are allowed as a pair by ${describeRules(valid, rules)}`,
  };
}

function isRanked<T extends RankedCompletion>(completion: T): completion is Ranked<T> {
  return Number.isFinite(completion.reward) && Number.isFinite(completion.rank);
}

function isAllowed<T extends RankedCompletion>(
  chosen: Ranked<T>,
  rejected: Ranked<T>,
  { minMargin = 0, notWorseIn }: PairRules<T>,
): boolean {
  if (chosen.finished === false || chosen.rank <= rejected.rank) return false;
  // Ranks may tell completions apart that have the same reward.
  if (minMargin > 0 && chosen.reward - rejected.reward < minMargin) return false;
  if (!notWorseIn) return true;
  const [ofChosen, ofRejected] = [notWorseIn(chosen), notWorseIn(rejected)];
  return Object.entries(ofRejected).every(([name, value]) => ofChosen[name] >= value);
}

function describeRules<T extends RankedCompletion>(
  valid: readonly T[],
  { minMargin = 0, notWorseIn }: PairRules<T>,
): string {
  return [
    ...(valid.some(({ finished }) => finished === false) ? ['a chosen sample that ended'] : []),
    ...(minMargin > 0 ? [`a margin of at least ${minMargin}`] : []),
    ...(notWorseIn ? ['a chosen sample that loses on no guard'] : []),
  ].join(' and ');
}
