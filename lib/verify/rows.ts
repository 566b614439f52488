/** One line of a verification: a quantity, how far off it is, how far it may be. */
export interface VerifyRow {
  quantity: string;
  /** Largest absolute difference, or the named relative one; 0 or infinity for equalities. */
  difference: number;
  tolerance: number;
  pass: boolean;
}

export function row(quantity: string, difference: number, tolerance: number): VerifyRow {
  return { quantity, difference, tolerance, pass: difference <= tolerance };
}

/** A quantity that is either the same or not. */
export function equalRow(quantity: string, equal: boolean): VerifyRow {
  return row(quantity, equal ? 0 : Infinity, 0);
}

/**
 * Largest absolute difference. `open` (1 or 0) limits the comparison to some leading positions, each of which covers
 * `actual.length / open.length` numbers. Different lengths and NaN are infinitely far apart.
 */
export function largestDifference(
  quantity: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  open?: ArrayLike<number>,
): VerifyRow {
  if (actual.length !== expected.length) return row(quantity, Infinity, tolerance);
  const each = open ? actual.length / open.length : 1;
  let largest = 0;
  for (let i = 0; i < actual.length; i++) {
    if (open && open[Math.floor(i / each)] === 0) continue;
    const difference = Math.abs(actual[i] - expected[i]);
    largest = Number.isNaN(difference) ? Infinity : Math.max(largest, difference);
  }
  return row(quantity, largest, tolerance);
}
