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
  return {
    size,
    bins,
    forward(signal) {
      fft.transform(packed, signal);
      spectrum[0] = packed[0] + packed[1];
      spectrum[size] = packed[0] - packed[1];
      for (let low = 1, high = half - 1; low <= high; low++, high--) {
        // Spectra of the even and of the odd samples; the latter turned by their delay.
        const real = packed[2 * low];
        const imaginary = packed[2 * low + 1];
        const mirroredReal = packed[2 * high];
        const mirroredImaginary = -packed[2 * high + 1];
        const evenReal = (real + mirroredReal) / 2;
        const evenImaginary = (imaginary + mirroredImaginary) / 2;
        const oddReal = (imaginary - mirroredImaginary) / 2;
        const oddImaginary = (mirroredReal - real) / 2;
        const turnedReal = cosines[low] * oddReal + sines[low] * oddImaginary;
        const turnedImaginary = cosines[low] * oddImaginary - sines[low] * oddReal;
        spectrum[2 * low] = evenReal + turnedReal;
        spectrum[2 * low + 1] = evenImaginary + turnedImaginary;
        spectrum[2 * high] = evenReal - turnedReal;
        spectrum[2 * high + 1] = turnedImaginary - evenImaginary;
      }
      return spectrum;
    },
    inverse(from) {
      packed[0] = (from[0] + from[size]) / 2;
      packed[1] = (from[0] - from[size]) / 2;
      for (let low = 1, high = half - 1; low <= high; low++, high--) {
        const real = from[2 * low];
        const imaginary = from[2 * low + 1];
        const mirroredReal = from[2 * high];
        const mirroredImaginary = -from[2 * high + 1];
        const evenReal = (real + mirroredReal) / 2;
        const evenImaginary = (imaginary + mirroredImaginary) / 2;
        const turnedReal = (real - mirroredReal) / 2;
        const turnedImaginary = (imaginary - mirroredImaginary) / 2;
        const oddReal = cosines[low] * turnedReal - sines[low] * turnedImaginary;
        const oddImaginary = cosines[low] * turnedImaginary + sines[low] * turnedReal;
        packed[2 * low] = evenReal - oddImaginary;
        packed[2 * low + 1] = evenImaginary + oddReal;
        packed[2 * high] = evenReal + oddImaginary;
        packed[2 * high + 1] = oddReal - evenImaginary;
      }
      fft.inverseTransform(time, packed);
      return time;
    },
  };
}
