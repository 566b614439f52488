/** Which two completions of a prompt may be a preference pair. */
import { inspect } from 'node:util';

/** One completion of a prompt with what a reward said of it; null where the reward could not score it. */
export interface RankedCompletion {
  reward: number | null;
  /** What completions are compared by; the reward itself unless the reward ranks by something else. */
  rank: number | null;
  /** False where it was cut off at the longest length: it is never chosen, or a policy learns not to end. Default true. */
  finished?: boolean;
  /** What was written: two completions of the same codes are no pair. Default: they are taken for different ones. */
  codes?: readonly number[];
}

export type Ranked<T> = T & { reward: number; rank: number };

/**
 * `best-worst`: the best with the worst, the second best with the second worst, ... `above-margin`: all that are allowed, the largest margins
 * first. `target`: the right answer with the worst.
 */
export const pairings = ['best-worst', 'above-margin', 'target'] as const;
export type Pairing = (typeof pairings)[number];

/** Which pairs are made, and what a pair must fulfil beyond a better and a worse rank. */
export interface PairRules<T> {
  /** Default `best-worst`. */
  pairing?: Pairing;
  /** The right answer, for `target`. */
  target?: T;
  /** Least difference between chosen and rejected reward; default 0. */
  minMargin?: number;
  /** Least reward of the chosen completion; default none. */
  minChosen?: number;
  /** Drops prompts whose completions all reach `minChosen`, or all miss it; has no say in `target`. Default false. */
  dropUniform?: boolean;
  /** Figures, higher is better, in none of which the chosen completion may be below the rejected one (Pareto); default none. */
  notWorseIn?: (completion: T) => Readonly<Record<string, number>>;
}

/** Why two completions are no pair, in the order that the rules are looked at. */
export const pairDrops = {
  tie: 'rank the same',
  uniform: 'of prompts whose samples are all good or all bad',
  unfinished: 'have a better sample that was cut off',
  identical: 'are the same codes twice',
  minChosen: 'have a better sample whose reward is too low to be chosen',
  minMargin: 'have too close rewards',
  guards: 'have a better sample that loses on a guard',
  unused: 'are allowed and not used',
} as const;

export type PairDrop = keyof typeof pairDrops;

/** How many pairs were not made, by the first reason against each; a reason that never came up is absent. */
export type PairDrops = Partial<Record<PairDrop, number>>;

/** @throws Error in one sentence for a number of pairs or a rule that would make other pairs than were asked for, without a word */
export function checkRules<T>(count: number, { pairing, minMargin, minChosen }: PairRules<T>): void {
  if (!(count === Infinity || (Number.isSafeInteger(count) && count >= 0)))
    throw new Error(
      `at most ${count} pairs of a prompt were asked for: a whole number from 0 on is expected`,
    );
  if (pairing !== undefined && !pairings.includes(pairing))
    throw new Error(`pairing is ${inspect(pairing)}: ${pairings.join(', ')} are known`);
  for (const [name, value] of Object.entries({ minMargin, minChosen }))
    if (value !== undefined && (typeof value !== 'number' || Number.isNaN(value)))
      throw new Error(`${name} is ${inspect(value)}: a number is expected`);
}

/** How many of the considered pairs are left. */
export function countMade(considered: number, dropped: PairDrops): number {
  return Object.values(dropped).reduce((left, count) => left - count, considered);
}

/** What speaks against a pair whatever the two ranks are; undefined: it is allowed. */
export function forbids<T extends RankedCompletion>(
  chosen: Ranked<T>,
  rejected: Ranked<T>,
  { minMargin = 0, minChosen = -Infinity, notWorseIn }: PairRules<T>,
): PairDrop | undefined {
  if (chosen.finished === false) return 'unfinished';
  if (areIdentical(chosen, rejected)) return 'identical';
  if (chosen.reward < minChosen) return 'minChosen';
  // Ranks may tell completions apart that have the same reward.
  if (minMargin > 0 && chosen.reward - rejected.reward < minMargin) return 'minMargin';
  if (!notWorseIn) return undefined;
  const [ofChosen, ofRejected] = [notWorseIn(chosen), notWorseIn(rejected)];
  const isWorse = Object.entries(ofRejected).some(([name, value]) => !(ofChosen[name] >= value));
  return isWorse ? 'guards' : undefined;
}

function areIdentical({ codes }: RankedCompletion, other: RankedCompletion): boolean {
  if (!codes || codes.length !== other.codes?.length) return false;
  return codes.every((code, i) => code === other.codes![i]);
}

/** What the rules ask of a pair, for a sentence. */
export function describeRules<T extends RankedCompletion>(
  valid: readonly T[],
  { minMargin = 0, minChosen, notWorseIn }: PairRules<T>,
): string {
  const asked = [
    ...(valid.some(({ finished }) => finished === false) ? ['a chosen sample that ended'] : []),
    ...(minChosen === undefined ? [] : [`a chosen reward of at least ${minChosen}`]),
    ...(minMargin > 0 ? [`a margin of at least ${minMargin}`] : []),
    ...(notWorseIn ? ['a chosen sample that loses on no guard'] : []),
  ];
  return asked.join(' and ') || 'codes that differ';
}
