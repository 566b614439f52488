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
