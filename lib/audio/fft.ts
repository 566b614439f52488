import FFT from 'fft.js';

/** The discrete Fourier transform of real signals of one size. Results are buffers that the next call overwrites. */
export interface RealFft {
  readonly size: number;
  /** size / 2 + 1: the frequencies from 0 to half the sample rate. */
  readonly bins: number;
  /** `size` numbers to `bins` complex ones, as real and imaginary part in turn; not scaled. */
  forward(signal: Float64Array): Float64Array;
  /** The inverse of `forward`, scaled by 1/size. */
  inverse(spectrum: Float64Array): Float64Array;
}

/**
 * A transform by fft.js (radix 4).
 *
 * @param size a power of two: every spectrum here has such a size
 * @throws Error for any other size
 */
export function createRealFft(size: number): RealFft {
  if (size < 2 || !Number.isInteger(Math.log2(size)))
    throw new Error(`An FFT has a whole size of at least 2, a power of two, not ${size}`);
  const fft = new FFT(size);
  const bins = size / 2 + 1;
  const full = new Float64Array(2 * size);
  const time = new Float64Array(2 * size);
  const real = new Float64Array(size);
  return {
    size,
    bins,
    forward(signal) {
      fft.realTransform(full, signal);
      return full.subarray(0, 2 * bins);
    },
    inverse(spectrum) {
      mirror(spectrum, full, size);
      fft.inverseTransform(time, full);
      for (let i = 0; i < size; i++) real[i] = time[2 * i];
      return real;
    },
  };
}

/** Fills a whole spectrum from the half that determines it: a real signal's upper bins are conjugates of its lower ones. */
function mirror(half: Float64Array, full: Float64Array, size: number): void {
  for (let bin = 0; bin < size; bin++) {
    const source = bin <= size / 2 ? bin : size - bin;
    full[2 * bin] = half[2 * source];
    full[2 * bin + 1] = source === bin ? half[2 * source + 1] : -half[2 * source + 1];
  }
}
