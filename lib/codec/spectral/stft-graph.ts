/**
 * The short-time Fourier transform as tensor operations, frames of 640 samples every 160. It is a product with a DFT matrix, of which
 * the symmetries of cosine, sine and window leave a quarter: samples n, 320 - n, 320 + n and 640 - n of a frame (n = 1 to 160) are
 * added and subtracted first, and bins of even and odd number have matrices of their own.
 *
 * Time runs along rows. A signal of T frames is [160, T + 3], column j holding samples 160 j to 160 j + 159: a recording between 240
 * zeros on each side, so that frame t, columns t to t + 3, is centred on the recording's sample 160 t + 80.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { hannWindow } from '../../audio/stft.js';
import { tf } from '../../engine/index.js';
import { HOP } from './features.js';

export const FFT_SIZE = 4 * HOP;
export const BINS = FFT_SIZE / 2 + 1;
/** Zeros before the first sample. */
export const MARGIN = FFT_SIZE / 2 - HOP / 2;

const OVERLAP = FFT_SIZE / HOP;
const HALF = FFT_SIZE / 2;

export type Parity = 'even' | 'odd';
/** Bins 0, 2, ..., 320 and 1, 3, ..., 319. */
export const BINS_OF: Record<Parity, readonly number[]> = { even: everySecond(0), odd: everySecond(1) };

export interface Complex {
  real: Tensor;
  imaginary: Tensor;
}
/** Bins by their parity, each [bins, T]. */
export type Spectrum = Record<Parity, Complex>;

/** Constants of the transform and its inverse, by name. */
export type StftMatrices = Readonly<Record<keyof ReturnType<typeof stftMatrices>, Tensor>>;

export function stftMatrices() {
  const hann = hannWindow(FFT_SIZE);
  // Sample 160 of a frame and sample 480 come twice, as n and as 320 - n.
  const share = (n: number) => (n === HOP ? 0.5 : 1);
  // The inverse: bins between 0 Hz and half the sample rate stand for their mirror image too.
  const weight = (k: number) => (k === 0 || k === HALF ? 1 : 2) / FFT_SIZE;
  const { even, odd } = BINS_OF;
  return {
    outerWindow: matrix(NUMBERS, [0], (n) => share(n) * hann[n]),
    innerWindow: matrix(NUMBERS, [0], (n) => share(n) * hann[HALF - n]),
    cosineEven: matrix(even, NUMBERS, (k, n) => cosine(n * k)),
    cosineOdd: matrix(odd, NUMBERS, (k, n) => cosine(n * k)),
    sineEven: matrix(even, NUMBERS, (k, n) => -sine(n * k)),
    sineOdd: matrix(odd, NUMBERS, (k, n) => -sine(n * k)),
    inverseCosineEven: matrix(NUMBERS, even, (n, k) => weight(k) * cosine(n * k)),
    inverseCosineOdd: matrix(NUMBERS, odd, (n, k) => weight(k) * cosine(n * k)),
    inverseSineEven: matrix(NUMBERS, even, (n, k) => -weight(k) * sine(n * k)),
    inverseSineOdd: matrix(NUMBERS, odd, (n, k) => -weight(k) * sine(n * k)),
    middleEven: matrix([0], even, (_, k) => weight(k)),
    middleOdd: matrix([0], odd, (_, k) => weight(k)),
  };
}

/** 1 / (sum of squared windows over a sample) [160, frames + 3], 0 in the margins. */
export function overlapGain(frames: number): Float32Array {
  const window = hannWindow(FFT_SIZE);
  const columns = frames + OVERLAP - 1;
  const sum = new Float64Array(columns * HOP);
  for (let t = 0; t < frames; t++) for (let n = 0; n < FFT_SIZE; n++) sum[t * HOP + n] += window[n] ** 2;
  const gain = new Float32Array(sum.length);
  for (let i = MARGIN; i < MARGIN + frames * HOP; i++) {
    gain[(i % HOP) * columns + Math.floor(i / HOP)] = 1 / Math.max(sum[i], 1e-3);
  }
  return gain;
}

/** Signal [160, T + 3] to the spectra of its windowed frames. */
export function transform(signal: Tensor, m: StftMatrices): Spectrum {
  const frames = signal.shape[1]! - OVERLAP + 1;
  const quarter = (x: Tensor, column: number) => tf.slice(x, [0, column], [HOP, frames]);
  const after = delayed(signal);
  const before = tf.reverse(signal, 0);
  const [first, third] = [quarter(after, 0), quarter(after, 2)];
  const [second, fourth] = [quarter(before, 1), quarter(before, 3)];
  const outerSum = tf.mul(tf.add(first, fourth), m.outerWindow);
  const outerDifference = tf.mul(tf.sub(first, fourth), m.outerWindow);
  const innerSum = tf.mul(tf.add(second, third), m.innerWindow);
  const innerDifference = tf.mul(tf.sub(second, third), m.innerWindow);
  const middle = tf.slice(signal, [0, 2], [1, frames]);
  return {
    even: {
      real: product(m.cosineEven, tf.add(outerSum, innerSum), middle),
      imaginary: product(m.sineEven, tf.sub(outerDifference, innerDifference)),
    },
    odd: {
      real: product(m.cosineOdd, tf.sub(outerSum, innerSum), tf.neg(middle)),
      imaginary: product(m.sineOdd, tf.add(outerDifference, innerDifference)),
    },
  };
}

/** The signal [160, T + 3] that the windowed inverse transforms of the frames add up to. */
export function overlapAdd({ even, odd }: Spectrum, m: StftMatrices): Tensor {
  const cosineEven = product(m.inverseCosineEven, even.real);
  const cosineOdd = product(m.inverseCosineOdd, odd.real);
  const sineEven = product(m.inverseSineEven, even.imaginary);
  const sineOdd = product(m.inverseSineOdd, odd.imaginary);
  const outerCosine = tf.mul(tf.add(cosineEven, cosineOdd), m.outerWindow);
  const outerSine = tf.mul(tf.add(sineEven, sineOdd), m.outerWindow);
  const innerCosine = tf.mul(tf.sub(cosineEven, cosineOdd), m.innerWindow);
  const innerSine = tf.mul(tf.sub(sineOdd, sineEven), m.innerWindow);
  const after = tf.add(place(tf.add(outerCosine, outerSine), 0), place(tf.sub(innerCosine, innerSine), 2));
  const before = tf.add(place(tf.add(innerCosine, innerSine), 1), place(tf.sub(outerCosine, outerSine), 3));
  const middle = tf.sub(product(m.middleEven, even.real), product(m.middleOdd, odd.real));
  return tf.add(advanced(after, place(middle, 2)), tf.reverse(before, 0));
}

/** Column j of the result holds samples 160 j + 1 to 160 j + 160. */
function delayed(signal: Tensor): Tensor {
  const columns = signal.shape[1]!;
  const last = tf.concat([tf.slice(signal, [0, 1], [1, columns - 1]), tf.zeros([1, 1])], 1);
  return tf.concat([tf.slice(signal, [1, 0], [HOP - 1, columns]), last], 0);
}

/** The inverse of `delayed`, with `first` [1, columns] added to the first sample of every column. */
function advanced(after: Tensor, first: Tensor): Tensor {
  const columns = after.shape[1]!;
  const moved = tf.concat([tf.zeros([1, 1]), tf.slice(after, [HOP - 1, 0], [1, columns - 1])], 1);
  return tf.concat([tf.add(moved, first), tf.slice(after, [0, 0], [HOP - 1, columns])], 0);
}

/** [rows, T] as columns `column` to `column + T - 1` of [rows, T + 3]. */
function place(x: Tensor, column: number): Tensor {
  const [rows] = x.shape;
  const parts = [tf.zeros([rows, column]), x, tf.zeros([rows, OVERLAP - 1 - column])];
  return tf.concat(
    parts.filter(({ size }) => size > 0),
    1,
  );
}

function product(a: Tensor, b: Tensor, bias?: Tensor): Tensor {
  return tf.fused.matMul({ a: a as Tensor2D, b: b as Tensor2D, bias });
}

/** n = 1 to 160 */
const NUMBERS = Array.from({ length: HOP }, (_, i) => i + 1);

function matrix(
  rows: readonly number[],
  columns: readonly number[],
  entry: (row: number, column: number) => number,
): { shape: [number, number]; data: Float32Array } {
  return {
    shape: [rows.length, columns.length],
    data: Float32Array.from(rows.flatMap((row) => columns.map((column) => entry(row, column)))),
  };
}

function everySecond(first: number): number[] {
  const bins: number[] = [];
  for (let bin = first; bin < BINS; bin += 2) bins.push(bin);
  return bins;
}

function cosine(step: number): number {
  return Math.cos((2 * Math.PI * (step % FFT_SIZE)) / FFT_SIZE);
}
function sine(step: number): number {
  return Math.sin((2 * Math.PI * (step % FFT_SIZE)) / FFT_SIZE);
}
