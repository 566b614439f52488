/** A mel spectrum as matrix products, for frames of one size: what networks over spectra begin with. */
import { melFilterBank, type MelOptions } from '../audio/mel.js';
import { hannWindow } from '../audio/stft.js';

/** A matrix, row-major. */
export interface Matrix {
  shape: [number, number];
  data: Float32Array;
}

/**
 * Cosines (the real part of a Fourier transform) or sines (the imaginary part, but for its sign) times a Hann window: [frameSize, bins], bins
 * from 0 to half the sample rate.
 */
export function windowedWaves(frameSize: number, wave: (angle: number) => number): Matrix {
  const bins = Math.floor(frameSize / 2) + 1;
  const window = hannWindow(frameSize);
  const data = Float32Array.from({ length: frameSize * bins }, (_, i) => {
    const [sample, bin] = [Math.floor(i / bins), i % bins];
    return window[sample] * wave((2 * Math.PI * ((sample * bin) % frameSize)) / frameSize);
  });
  return { shape: [frameSize, bins], data };
}

/** The filters of `melFilterBank`: [bins, bands]. */
export function melMatrix(options: MelOptions): Matrix {
  const { fftSize, bands } = options;
  const bins = Math.floor(fftSize / 2) + 1;
  const data = new Float32Array(bins * bands);
  melFilterBank(options).forEach(({ firstBin, weights }, band) => {
    weights.forEach((weight, i) => (data[(firstBin + i) * bands + band] = weight));
  });
  return { shape: [bins, bands], data };
}
