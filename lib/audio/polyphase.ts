/** Suppression of aliases, and the width of the filter's slope as a part of its cutoff frequency. */
const REJECTION_DB = 60;
const ROLL_OFF = 1 / 10;

/**
 * Changes the sample rate with a Kaiser-windowed sinc filter of linear phase, as GNU Octave's resample() and the Python package
 * pystoi do (filter design: Oppenheim, Schafer, "Discrete-Time Signal Processing", section 7.6). Gives ceil(n * toHz / fromHz) samples
 * without delay. Meant for metrics that are defined with this very filter; `resample` is better for listening.
 */
export function resamplePolyphase(samples: Float32Array, fromHz: number, toHz: number): Float64Array {
  const divisor = greatestCommonDivisor(fromHz, toHz);
  const [up, down] = [toHz / divisor, fromHz / divisor];
  if (up === down) return Float64Array.from(samples);
  const { filter, half } = kaiserLowPass(up, down);
  const out = new Float64Array(Math.ceil((samples.length * up) / down));
  for (let m = 0; m < out.length; m++) {
    // Sample n of the input lies at n * up on the fine grid, where output m lies at m * down.
    const centre = m * down;
    const first = Math.max(0, Math.ceil((centre - half) / up));
    const last = Math.min(samples.length - 1, Math.floor((centre + half) / up));
    let sum = 0;
    for (let n = first; n <= last; n++) sum += samples[n] * filter[half + centre - n * up];
    out[m] = sum;
  }
  return out;
}

/** The low-pass filter for a signal that is `up` times as dense as the input: 2 * half + 1 taps that sum to `up`. */
function kaiserLowPass(up: number, down: number): { filter: Float64Array; half: number } {
  const cutoff = 1 / (2 * Math.max(up, down));
  const half = Math.ceil((REJECTION_DB - 8) / (28.714 * cutoff * ROLL_OFF));
  const beta = 0.1102 * (REJECTION_DB - 8.7);
  const filter = Float64Array.from({ length: 2 * half + 1 }, (_, i) => {
    const t = i - half;
    const kaiser = besselI0(beta * Math.sqrt(1 - (t / half) ** 2)) / besselI0(beta);
    return kaiser * sinc(2 * cutoff * t);
  });
  const sum = filter.reduce((total, value) => total + value, 0);
  return { filter: filter.map((value) => (value / sum) * up), half };
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The modified Bessel function of the first kind and order 0, by its power series. */
function besselI0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * Number.EPSILON; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
