/**
 * The largest of any number of numbers; -Infinity of none. `Math.max(...values)` ends in a RangeError where there are more values than a call can
 * have arguments, some 120,000.
 */
export function largestOf(values: Iterable<number>): number {
  let largest = -Infinity;
  for (const value of values) largest = Math.max(largest, value);
  return largest;
}
