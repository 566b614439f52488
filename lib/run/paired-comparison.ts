import { largestOf } from '../largest.js';
import { meanOf, sumOf } from '../mean.js';
import { bootstrapMean } from './bootstrap.js';
import type { Interval } from './interval.js';

/** What a paired comparison says: how the second of two values, of the same prompt, differs from the first. */
export interface PairedComparison {
  /** Prompts that have both values: the sample size of everything below. */
  n: number;
  /** Mean of the differences, second less first. */
  change: number;
  /** 95 % interval of the mean difference over prompts; absent for fewer than 5 of them, whose resamples are too alike. */
  interval?: Interval;
  /**
   * Cohen's d of paired samples, d_z: the mean difference over the differences' standard deviation (n − 1). Absent where all differences are
   * equal, up to rounding.
   */
  effectSize?: number;
  /** Share of prompts whose second value is better, and half of those whose values are equal. */
  winRate: number;
}

/** Resamples of fewer prompts are too alike for an interval to mean much. */
export const FEWEST_PROMPTS = 5;

/** Differences that are nearer to each other, as a share of the largest value, differ by float64's rounding alone. */
const ROUNDING = 1e-12;

/**
 * Compares two lists of values of the same prompts in the same order: mean difference with the interval of a paired bootstrap over prompts,
 * effect size (J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, section 2.3.5; named d_z by D. Lakens, "Calculating
 * and reporting effect sizes", 2013) and win rate with ties.
 *
 * @param first,second null where a prompt has no value; such a prompt is left out. Where one list is longer, what the other lacks is left out.
 * @param better which values win
 * @returns undefined when no prompt has both values
 */
export function comparePairs(
  first: Values,
  second: Values,
  better: 'higher' | 'lower' = 'higher',
): PairedComparison | undefined {
  const pairs = pairsOf(first, second);
  const n = pairs.length;
  if (n === 0) return undefined;
  const differences = pairs.map(([a, b]) => b - a);
  const change = meanOf(differences);
  const squares = sumOf(differences.map((difference) => (difference - change) ** 2));
  const largest = largestOf(pairs.flat().map(Math.abs));
  const isVaried = differences.some((difference) => Math.abs(difference - change) > ROUNDING * largest);
  const sign = better === 'higher' ? 1 : -1;
  const points = differences.map((difference) => (1 + Math.sign(sign * difference)) / 2);
  return {
    n,
    change,
    ...(n >= FEWEST_PROMPTS && {
      interval: bootstrapMean(differences),
    }),
    ...(isVaried && { effectSize: change / Math.sqrt(squares / (n - 1)) }),
    winRate: meanOf(points),
  };
}

type Values = readonly (number | null)[];

/** The mean difference of {@link comparePairs} alone, second less first; NaN when no prompt has both values. */
export function meanChange(first: Values, second: Values): number {
  return meanOf(pairsOf(first, second).map(([a, b]) => b - a));
}

function pairsOf(first: Values, second: Values): [number, number][] {
  return first.flatMap((value, prompt): [number, number][] => {
    const other = second[prompt] ?? null;
    return value === null || other === null ? [] : [[value, other]];
  });
}
