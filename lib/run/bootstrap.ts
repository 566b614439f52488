import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** A mean difference and its 95 % confidence interval. */
export interface Interval {
  mean: number;
  low: number;
  high: number;
}

/**
 * Paired bootstrap of `after[i] - before[i]`: the percentile interval (2.5 % to 97.5 %) of the mean difference over
 * resamples of the pairs with replacement (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).
 * The same input gives the same interval.
 *
 * @throws Error when the lists differ in length or hold fewer than 2 values
 */
export function pairedBootstrap(
  before: readonly number[],
  after: readonly number[],
  resamples = 10_000,
): Interval {
  if (before.length !== after.length || before.length < 2) {
    throw new Error(
      `a paired bootstrap needs two lists of one length, at least 2; got ${before.length} and ${after.length} values`,
    );
  }
  const differences = after.map((value, i) => value - before[i]);
  const generator = xoroshiro128plus(42);
  const means = Float64Array.from({ length: resamples }, () => {
    let total = 0;
    for (let i = 0; i < differences.length; i++)
      total += differences[uniformInt(generator, 0, differences.length - 1)];
    return total / differences.length;
  }).sort();
  return {
    mean: differences.reduce((total, difference) => total + difference, 0) / differences.length,
    low: means[Math.floor(0.025 * (resamples - 1))],
    high: means[Math.ceil(0.975 * (resamples - 1))],
  };
}
