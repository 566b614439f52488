import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { meanOf } from '../mean.js';
import type { Interval } from './interval.js';
import { studentQuantile } from './student-t.js';

const RESAMPLES = 10_000;

/**
 * The expanded percentile interval of the mean over resamples of the values with replacement: the percentiles (Efron and Tibshirani, "An
 * Introduction to the Bootstrap", 1993, chapter 13) between which Student's interval would lie, Φ(∓√(n/(n−1)) t(.975, n−1)), in place of 2.5 % and
 * 97.5 %, between which few values come out too narrow (T. Hesterberg, "What Teachers Should Know About the Bootstrap", 2015, section 5.3). The
 * same input gives the same interval.
 *
 * @throws Error when there are fewer than 2 values
 */
export function bootstrapMean(values: readonly number[]): Interval {
  if (values.length < 2) throw new Error(`a bootstrap needs at least 2 values; got ${values.length}`);
  const generator = xoroshiro128plus(42);
  const means = Float64Array.from({ length: RESAMPLES }, () => {
    let total = 0;
    for (let i = 0; i < values.length; i++) total += values[uniformInt(generator, 0, values.length - 1)];
    return total / values.length;
  }).sort();
  const n = values.length;
  const below = normalTail(Math.sqrt(n / (n - 1)) * studentQuantile(n - 1));
  return {
    mean: meanOf(values),
    low: means[Math.floor(below * (RESAMPLES - 1))],
    high: means[Math.ceil((1 - below) * (RESAMPLES - 1))],
  };
}

/** The share of the normal distribution above z, of 0 or more, to 7.5e-8 (Abramowitz and Stegun, 1964, 26.2.17). */
function normalTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const coefficients = [1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.31938153];
  const polynomial = coefficients.reduce((sum, coefficient) => (sum + coefficient) * t, 0);
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
}
