/** The sum, added in the values' order; 0 of none. */
export function sumOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum;
}

/** The mean; NaN of none. */
export const meanOf = (values: ArrayLike<number>): number => sumOf(values) / values.length;

/** The mean; undefined of none. */
export const meanIfAny = (values: ArrayLike<number>): number | undefined =>
  values.length === 0 ? undefined : meanOf(values);
