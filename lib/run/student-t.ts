import { meanOf, sumOf } from '../mean.js';
import type { Interval } from './interval.js';

/**
 * Student's 95 % interval of the mean of a few independent, about normal values (Student, "The Probable Error of a Mean", 1908): mean ±
 * t(.975, n − 1) s / √n. Of three seeds, whose resamples would be too alike for a bootstrap, it is honest: wide.
 *
 * @throws Error when there are fewer than 2 values
 */
export function studentInterval(values: readonly number[]): Interval {
  const n = values.length;
  if (n < 2) throw new Error(`an interval needs at least 2 values; got ${n}`);
  const mean = meanOf(values);
  const variance = sumOf(values.map((value) => (value - mean) ** 2)) / (n - 1);
  const half = studentQuantile(n - 1) * Math.sqrt(variance / n);
  return { mean, low: mean - half, high: mean + half };
}

/** The t with 97.5 % of Student's distribution below it, found by bisection. */
export function studentQuantile(degrees: number): number {
  let [low, high] = [0, 13];
  for (;;) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) return middle;
    if (shareWithin(middle, degrees) < 0.95) low = middle;
    else high = middle;
  }
}

/** Share of Student's distribution between −t and t, a finite sum (Abramowitz and Stegun, 1964, 26.7.3 and 26.7.4). */
function shareWithin(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const isOdd = degrees % 2 === 1;
  let term = isOdd ? cosine : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let power = isOdd ? 3 : 2; power <= degrees - 2; power += 2) {
    term *= (cosine * cosine * (power - 1)) / power;
    sum += term;
  }
  return isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
}
