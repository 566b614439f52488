import { meanOf } from '../mean.js';
import {
  checkRules,
  describeRules,
  forbids,
  type PairDrop,
  type PairDrops,
  type PairRules,
  type Ranked,
  type RankedCompletion,
} from './pair-rules.js';

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

/** The pairs of a prompt, and what became of all others that its scored completions could make. */
export interface PromptPairs<T> {
  pairs: PreferenceChoice<T>[];
  /** Every two of its completions, or every one with the target: the pairs and those that are not made add up to it. */
  considered: number;
  dropped: PairDrops;
  /** There where it gives no pair: why, as a sentence. */
  skipped?: string;
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

/** The pairs of {@link makePairs}, or why there are none. */
export function choosePairs<T extends RankedCompletion>(
  completions: readonly T[],
  count: number,
  rules: PairRules<T> = {},
): PreferenceChoice<T>[] | SkippedPrompt {
  const { pairs, skipped } = makePairs(completions, count, rules);
  return skipped === undefined ? pairs : { skipped };
}

/**
 * Makes at most `count` pairs of a prompt's completions, by `rules.pairing`:
 *
 * - `best-worst`: the best with the worst, the second best with the second worst, and so on, until the ranks meet. Where rules forbid a pair,
 *   the best completion takes the next worst that they allow. No completion is in two pairs. Without rules the first pair and the skipping of
 *   prompts are those of `choosePair`.
 * - `above-margin`: every two that differ by `minMargin` and are allowed, the largest differences of reward first. Completions come again.
 * - `target`: the target, whatever its reward, with the worst, the second worst, ... completion that the rules allow (SPIN, Chen et al. 2024,
 *   arXiv:2401.01335; SpeechAlign, Zhang et al. 2024, arXiv:2404.05600).
 *
 * @throws Error in one sentence as `checkRules`
 */
export function makePairs<T extends RankedCompletion>(
  completions: readonly T[],
  count: number,
  rules: PairRules<T> = {},
): PromptPairs<T> {
  checkRules(count, rules);
  const valid = completions.filter(isRanked);
  if (rules.pairing === 'target') return pairWithTarget(completions.length, valid, count, rules);
  const considered = (valid.length * Math.max(0, valid.length - 1)) / 2;
  const skip = (skipped: string, reason?: PairDrop) => ({
    pairs: [],
    considered,
    dropped: reason ? { [reason]: considered } : {},
    skipped,
  });
  if (valid.length < 2) {
    return skip(`only ${valid.length} of ${completions.length} samples could be scored; a pair needs 2`);
  }
  // Sorting is stable, so that of equal ranks the first completion comes first from either end.
  const best = valid.toSorted((a, b) => b.rank - a.rank);
  const worst = valid.toSorted((a, b) => a.rank - b.rank);
  if (best[0].rank === worst[0].rank) {
    return skip(`all ${valid.length} samples rank the same; a pair needs a better and a worse one`, 'tie');
  }
  const uniform = describeUniform(valid, rules);
  if (uniform) return skip(uniform, 'uniform');
  const isAllowed = (chosen: Ranked<T>, rejected: Ranked<T>) =>
    chosen.rank > rejected.rank && forbids(chosen, rejected, rules) === undefined;
  const made =
    rules.pairing === 'above-margin'
      ? pairAll(best, worst, isAllowed).slice(0, count)
      : pairFromBothEnds(best, worst, count, isAllowed);
  const dropped = countDropped(best, made, rules);
  if (made.length === 0) {
    const sentence = `no two of its ${valid.length} samples make a pair with ${describeRules(valid, rules)}`;
    return { pairs: [], considered, dropped, skipped: sentence };
  }
  return { pairs: choicesOf(made, valid), considered, dropped };
}

type Pair<T> = [chosen: Ranked<T>, rejected: Ranked<T>];

/** Why every two of the completions, best first, are no pair, where they are none. */
function countDropped<T extends RankedCompletion>(
  best: readonly Ranked<T>[],
  made: readonly Pair<T>[],
  rules: PairRules<T>,
): PairDrops {
  const rejectedOf = new Map(best.map((chosen) => [chosen, new Set<T>()]));
  for (const [chosen, rejected] of made) rejectedOf.get(chosen)!.add(rejected);
  const dropped: PairDrops = {};
  for (const [i, chosen] of best.entries()) {
    for (const rejected of best.slice(i + 1)) {
      if (rejectedOf.get(chosen)!.has(rejected)) continue;
      const reason = chosen.rank === rejected.rank ? 'tie' : forbids(chosen, rejected, rules);
      countOne(dropped, reason ?? 'unused');
    }
  }
  return dropped;
}

function pairFromBothEnds<T>(
  best: readonly Ranked<T>[],
  worst: readonly Ranked<T>[],
  count: number,
  isAllowed: (...pair: Pair<T>) => boolean,
): Pair<T>[] {
  const pairs: Pair<T>[] = [];
  const used = new Set<T>();
  for (const chosen of best) {
    if (pairs.length === count) break;
    if (used.has(chosen)) continue;
    const rejected = worst.find((other) => !used.has(other) && isAllowed(chosen, other));
    if (!rejected) continue;
    used.add(chosen).add(rejected);
    pairs.push([chosen, rejected]);
  }
  return pairs;
}

function pairAll<T>(
  best: readonly Ranked<T>[],
  worst: readonly Ranked<T>[],
  isAllowed: (...pair: Pair<T>) => boolean,
): Pair<T>[] {
  const margin = ([chosen, rejected]: Pair<T>) => chosen.reward - rejected.reward;
  return best
    .flatMap((chosen) => worst.map((rejected): Pair<T> => [chosen, rejected]))
    .filter((pair) => isAllowed(...pair))
    .sort((a, b) => margin(b) - margin(a));
}

function pairWithTarget<T extends RankedCompletion>(
  samples: number,
  valid: readonly Ranked<T>[],
  count: number,
  rules: PairRules<T>,
): PromptPairs<T> {
  const { target } = rules;
  if (!target) throw new TypeError('pairs with a target need one');
  const skip = (skipped: string) => ({ pairs: [], considered: 0, dropped: {}, skipped });
  if (!isRanked(target)) return skip('its target could not be scored');
  if (valid.length === 0) return skip(`none of its ${samples} samples could be scored; the target needs one`);
  const made: Pair<T>[] = [];
  const dropped: PairDrops = {};
  for (const rejected of valid.toSorted((a, b) => a.rank - b.rank)) {
    const reason = forbids(target, rejected, rules) ?? (made.length < count ? undefined : 'unused');
    if (reason) countOne(dropped, reason);
    else made.push([target, rejected]);
  }
  const considered = valid.length;
  if (made.length > 0) return { pairs: choicesOf(made, valid), considered, dropped };
  const skipped = `its target and none of its ${valid.length} samples make a pair with ${describeRules(valid, rules)}`;
  return { pairs: [], considered, dropped, skipped };
}

function choicesOf<T>(pairs: readonly Pair<T>[], valid: readonly Ranked<T>[]): PreferenceChoice<T>[] {
  const averageReward = meanOf(valid.map(({ reward }) => reward));
  return pairs.map(([chosen, rejected]) => ({ chosen, rejected, averageReward }));
}

/** Says that no sample stands out, as in DAPO's dynamic sampling (Yu et al. 2025, arXiv:2503.14476); undefined where some do. */
function describeUniform<T extends RankedCompletion>(
  valid: readonly Ranked<T>[],
  { dropUniform, minChosen }: PairRules<T>,
): string | undefined {
  if (!dropUniform || minChosen === undefined) return undefined;
  const good = valid.filter(({ reward }) => reward >= minChosen).length;
  if (good === 0) return `none of its ${valid.length} samples has a reward of at least ${minChosen}`;
  return good === valid.length
    ? `all its ${valid.length} samples have a reward of at least ${minChosen}`
    : undefined;
}

function isRanked<T extends RankedCompletion>(completion: T): completion is Ranked<T> {
  return Number.isFinite(completion.reward) && Number.isFinite(completion.rank);
}

function countOne(drops: PairDrops, reason: PairDrop): void {
  drops[reason] = (drops[reason] ?? 0) + 1;
}
