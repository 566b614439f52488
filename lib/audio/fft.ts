import FFT from 'fft.js';

/** The discrete Fourier transform of real signals of one size. Results are buffers that the next call overwrites. */
export interface RealFft {
  readonly size: number;
  /** floor(size / 2) + 1: the frequencies from 0 to half the sample rate. */
  readonly bins: number;
  /** `size` numbers to `bins` complex ones, as real and imaginary part in turn; not scaled. */
  forward(signal: Float64Array): Float64Array;
  /** The inverse of `forward`, scaled by 1/size. */
  inverse(spectrum: Float64Array): Float64Array;
}

/** In-place transform of `size` complex numbers (real and imaginary part in turn). */
type ComplexTransform = (signal: Float64Array) => void;

/**
 * A transform of any size: radix-4 (fft.js) for powers of two, Bluestein's algorithm over one of those for the rest.
 *
 * @throws Error when `size` is not a whole number of at least 2
 */
export function createRealFft(size: number): RealFft {
  if (!Number.isInteger(size) || size < 2)
    throw new Error(`An FFT has a whole size of at least 2, not ${size}`);
  return isPowerOfTwo(size) ? radix4(size) : bluestein(size);
}

function radix4(size: number): RealFft {
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

function bluestein(size: number): RealFft {
  const bins = Math.floor(size / 2) + 1;
  const transform = chirpTransform(size);
  const work = new Float64Array(2 * size);
  const real = new Float64Array(size);
  return {
    size,
    bins,
    forward(signal) {
      for (let i = 0; i < size; i++) {
        work[2 * i] = signal[i];
        work[2 * i + 1] = 0;
      }
      transform(work);
      return work.subarray(0, 2 * bins);
    },
    inverse(spectrum) {
      mirror(spectrum, work, size);
      // The inverse of X is the conjugate of the transform of X's conjugate.
      for (let i = 1; i < 2 * size; i += 2) work[i] = -work[i];
      transform(work);
      for (let i = 0; i < size; i++) real[i] = work[2 * i] / size;
      return real;
    },
  };
}

/**
 * Bluestein 1970: with jk = (j^2 + k^2 - (k - j)^2) / 2 a transform of any size is a convolution with a chirp, done here by
 * transforms of a power of two.
 */
function chirpTransform(size: number): ComplexTransform {
  const padded = 2 ** Math.ceil(Math.log2(2 * size - 1));
  const fft = new FFT(padded);
  const chirp = new Float64Array(2 * size);
  const kernel = new Float64Array(2 * padded);
  for (let i = 0; i < size; i++) {
    // i*i modulo 2*size keeps the angle small, so that it stays exact.
    const angle = (Math.PI * ((i * i) % (2 * size))) / size;
    chirp[2 * i] = Math.cos(angle);
    chirp[2 * i + 1] = Math.sin(angle);
    for (const at of [i, (padded - i) % padded]) kernel.set([chirp[2 * i], chirp[2 * i + 1]], 2 * at);
  }
  const kernelSpectrum = new Float64Array(2 * padded);
  fft.transform(kernelSpectrum, kernel);
  const input = new Float64Array(2 * padded);
  const spectrum = new Float64Array(2 * padded);
  return (signal) => {
    input.fill(0);
    for (let i = 0; i < 2 * size; i += 2) multiplyConjugate(signal, chirp, i, input);
    fft.transform(spectrum, input);
    for (let i = 0; i < 2 * padded; i += 2) {
      const re = spectrum[i] * kernelSpectrum[i] - spectrum[i + 1] * kernelSpectrum[i + 1];
      spectrum[i + 1] = spectrum[i] * kernelSpectrum[i + 1] + spectrum[i + 1] * kernelSpectrum[i];
      spectrum[i] = re;
    }
    fft.inverseTransform(input, spectrum);
    for (let i = 0; i < 2 * size; i += 2) multiplyConjugate(input, chirp, i, signal);
  };
}

/** out[i] = a[i] * conjugate(b[i]), for the complex number at offset i. */
function multiplyConjugate(a: Float64Array, b: Float64Array, i: number, out: Float64Array): void {
  const re = a[i] * b[i] + a[i + 1] * b[i + 1];
  out[i + 1] = a[i + 1] * b[i] - a[i] * b[i + 1];
  out[i] = re;
}

/** Fills a whole spectrum from the half that determines it: a real signal's upper bins are conjugates of its lower ones. */
function mirror(half: Float64Array, full: Float64Array, size: number): void {
  for (let bin = 0; bin < size; bin++) {
    const source = bin <= size / 2 ? bin : size - bin;
    full[2 * bin] = half[2 * source];
    full[2 * bin + 1] = source === bin ? half[2 * source + 1] : -half[2 * source + 1];
  }
}

function isPowerOfTwo(size: number): boolean {
  return Number.isInteger(Math.log2(size));
}
