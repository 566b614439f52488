import { meanOf } from '../mean.js';

/** Summary of a set of rewards, as numpy computes it: population variance, percentiles by linear interpolation. */
export interface Statistics {
  count: number;
  mean: number;
  median: number;
  std: number;
  variance: number;
  min: number;
  max: number;
  p25: number;
  p75: number;
}

/**
 * Summarizes rewards like numpy's mean, median, std, var (ddof 0), min, max and percentile (method "linear").
 *
 * @throws Error when `rewards` is empty: a mean of nothing would hide that nothing could be scored
 */
export function summarize(rewards: readonly number[]): Statistics {
  if (rewards.length === 0)
    throw new Error('cannot summarize an empty list of rewards: no sample could be scored');
  const sorted = Float64Array.from(rewards).sort();
  const mean = meanOf(sorted);
  const variance = meanOf(sorted.map((reward) => (reward - mean) ** 2));
  return {
    count: sorted.length,
    mean,
    median: percentile(sorted, 0.5),
    std: Math.sqrt(variance),
    variance,
    min: sorted[0],
    max: sorted[sorted.length - 1],
    p25: percentile(sorted, 0.25),
    p75: percentile(sorted, 0.75),
  };
}

function percentile(sorted: Float64Array, share: number): number {
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}
