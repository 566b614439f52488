import { createRealFft } from './fft.js';

/** How a signal is cut into frames. */
export interface StftOptions {
  fftSize: number;
  hopSize: number;
  /** At most `fftSize` long; a shorter one sits in the middle of the transform, between zeros. */
  window: Float64Array;
  /**
   * What surrounds the signal. With "reflect" and "zero" frame t is centred on sample t * hopSize (fftSize / 2 samples are added
   * on each side, folded as often as a short signal needs); with "none" frames start at t * hopSize and only whole ones count.
   */
  padding: 'reflect' | 'zero' | 'none';
}

/** Number of frames `stft` yields for a signal of that length. */
export function stftFrameCount(sampleCount: number, { fftSize, hopSize, padding }: StftOptions): number {
  const padded = padding === 'none' ? sampleCount : sampleCount + 2 * Math.floor(fftSize / 2);
  return padded < fftSize ? 0 : 1 + Math.floor((padded - fftSize) / hopSize);
}

/**
 * Short-time Fourier transform, with librosa.stft's conventions. Yields one frame after another: floor(fftSize / 2) + 1 complex
 * bins (real and imaginary part in turn) in a buffer that the next frame overwrites.
 *
 * @throws Error when the window does not fit, or there is nothing to reflect
 */
export function* stft(
  signal: Float32Array | Float64Array,
  options: StftOptions,
): Generator<Float64Array, void> {
  const { fftSize, hopSize, window, padding } = options;
  if (window.length > fftSize)
    throw new Error(`A window of ${window.length} does not fit an FFT of ${fftSize}`);
  if (padding === 'reflect' && signal.length === 0)
    throw new Error('No samples: there is nothing to reflect');
  const fft = createRealFft(fftSize);
  const frame = new Float64Array(fftSize);
  const windowStart = Math.floor((fftSize - window.length) / 2);
  const signalStart = windowStart - (padding === 'none' ? 0 : Math.floor(fftSize / 2));
  const frameCount = stftFrameCount(signal.length, options);
  for (let t = 0; t < frameCount; t++) {
    const start = t * hopSize + signalStart;
    for (let i = 0; i < window.length; i++) {
      const at = start + i;
      let value = 0;
      if (at >= 0 && at < signal.length) value = signal[at];
      else if (padding === 'reflect') value = signal[reflectIndex(at, signal.length)];
      frame[windowStart + i] = window[i] * value;
    }
    yield fft.forward(frame);
  }
}

/** Periodic Hann window: scipy.signal.get_window("hann", size). */
export function hannWindow(size: number): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
}

/**
 * The index inside a signal of the value that an index outside of it has, when the signal is mirrored at its first and last sample (neither
 * is repeated).
 */
export function reflectIndex(index: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const folded = ((index % period) + period) % period;
  return folded < length ? folded : period - folded;
}
