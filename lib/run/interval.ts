/** A mean (of differences, or of values) and its 95 % confidence interval. */
export interface Interval {
  mean: number;
  low: number;
  high: number;
}
