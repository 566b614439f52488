import { sumOf } from '../mean.js';

/** A low-pass filter, relative to half of the lower of the two sample rates. */
interface LowPass {
  /** Where the filter is 6 dB down. */
  cutoff: number;
  /** Width of its slope. */
  transition: number;
  /** Suppression of what lies above the slope. */
  rejectionDb: number;
}

/** Flat up to 91 % of the new band, 100 dB down where it ends: nothing folds back. */
const TRANSPARENT: LowPass = { cutoff: 0.955, transition: 0.09, rejectionDb: 100 };

/** GNU Octave's resample() without arguments for its filter, which the Python package pystoi copies. */
const OCTAVE: LowPass = { cutoff: 1, transition: 0.1, rejectionDb: 60 };

/** The filter grows with the ratio's larger number; beyond this it would take more memory than any recording. */
const MAX_RATIO_TERM = 50_000;

/**
 * Changes the sample rate without delay; gives ceil(n * toHz / fromHz) samples. Within what float32 can hold, frequencies below 91 %
 * of half the lower rate are kept and those above half of it removed.
 *
 * @throws Error when a rate is no positive whole number, or the two have no ratio of whole numbers up to 50,000
 */
export function resample(samples: Float32Array, fromHz: number, toHz: number): Float32Array {
  return fromHz === toHz ? samples : Float32Array.from(filterPolyphase(samples, fromHz, toHz, TRANSPARENT));
}

/** As {@link resample}, in double precision with Octave's lighter filter: for metrics that are defined by it. */
export function resampleLikeOctave(samples: Float32Array, fromHz: number, toHz: number): Float64Array {
  return fromHz === toHz ? Float64Array.from(samples) : filterPolyphase(samples, fromHz, toHz, OCTAVE);
}

/** Imagines `up` - 1 zeros after each sample, filters, and keeps every `down`-th value; only what differs from 0 is computed. */
function filterPolyphase(
  samples: Float32Array,
  fromHz: number,
  toHz: number,
  lowPass: LowPass,
): Float64Array {
  const { up, down } = ratio(fromHz, toHz);
  const { phases, half } = designPhases(up, down, lowPass);
  const out = new Float64Array(Math.ceil((samples.length * up) / down));
  for (let m = 0; m < out.length; m++) {
    // Sample n of the input lies at n * up on the dense grid, the middle of output m's filter at m * down.
    const start = m * down - half;
    const first = Math.ceil(start / up);
    const phase = phases[first * up - start];
    const [from, to] = [Math.max(0, -first), Math.min(phase.length, samples.length - first)];
    let sum = 0;
    for (let i = from; i < to; i++) sum += samples[first + i] * phase[i];
    out[m] = sum;
  }
  return out;
}

/**
 * A sinc under a Kaiser window of 2 * half + 1 taps on the dense grid, scaled to sum to `up`, as `up` filters that each take every
 * up-th of its taps. Design rules: Oppenheim, Schafer, "Discrete-Time Signal Processing", section 7.6.
 */
function designPhases(
  up: number,
  down: number,
  { cutoff, transition, rejectionDb }: LowPass,
): { phases: Float64Array[]; half: number } {
  const band = 1 / (2 * Math.max(up, down));
  const half = Math.ceil((rejectionDb - 8) / (28.714 * transition * band));
  const beta = 0.1102 * (rejectionDb - 8.7);
  const taps = Float64Array.from({ length: 2 * half + 1 }, (_, i) => {
    const t = i - half;
    return besselI0(beta * Math.sqrt(1 - (t / half) ** 2)) * sinc(2 * cutoff * band * t);
  });
  const scale = up / sumOf(taps);
  const phases = Array.from({ length: up }, (_, phase) =>
    Float64Array.from(
      { length: Math.ceil((taps.length - phase) / up) },
      (__, i) => taps[phase + i * up] * scale,
    ),
  );
  return { phases, half };
}

/** Whether {@link resample} knows a way from one rate, in Hz, to the other. */
export function canResample(fromHz: number, toHz: number): boolean {
  return (
    [fromHz, toHz].every((rate) => Number.isInteger(rate) && rate >= 1) &&
    Math.max(fromHz, toHz) / greatestCommonDivisor(fromHz, toHz) <= MAX_RATIO_TERM
  );
}

function ratio(fromHz: number, toHz: number): { up: number; down: number } {
  for (const rate of [fromHz, toHz]) {
    if (!Number.isInteger(rate) || rate < 1)
      throw new Error(`A sample rate is a positive whole number of Hz, not ${rate}`);
  }
  const divisor = greatestCommonDivisor(fromHz, toHz);
  const [up, down] = [toHz / divisor, fromHz / divisor];
  if (!canResample(fromHz, toHz)) {
    throw new Error(
      `Cannot resample from ${fromHz} to ${toHz} Hz: the ratio ${up}/${down} has a number above ${MAX_RATIO_TERM}`,
    );
  }
  return { up, down };
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
