import { applyMel, melFilterBank } from '../audio/mel.js';
import { hannWindow, stft, stftFrameCount, type StftOptions } from '../audio/stft.js';
import { sumOf } from '../mean.js';
import { MAGMA } from './color-map.js';
import { encodePng } from './png.js';

/** A log-mel spectrogram: `decibels[band * frames + frame]`, the lowest band first. */
export interface Spectrogram {
  decibels: Float32Array;
  bands: number;
  frames: number;
  /** The highest band's upper edge. */
  maxHz: number;
}

export const FRAMES_PER_SECOND = 100;
const BANDS = 80;
/** The highest frequency that a picture shows. */
export const MAX_HZ = 8000;
const WINDOW_SECONDS = 0.025;

/** Darkest and brightest level of a picture. A fixed scale keeps a quieter recording visibly darker. */
export const DECIBEL_RANGE = { min: -95, max: -20 };

/**
 * Log-mel spectrogram: 80 Slaney mel bands up to 8 kHz (or half the sample rate), a 25 ms Hann window every 10 ms,
 * levels in dB relative to a full-scale sine.
 *
 * @param samples mono, in [-1, 1]
 */
export function logMelSpectrogram(samples: Float32Array, sampleRateHz: number): Spectrogram {
  const window = hannWindow(Math.round(WINDOW_SECONDS * sampleRateHz));
  // Twice the window's length, so that even the lowest, narrowest bands hold a bin of the transform.
  const fftSize = 2 ** Math.ceil(Math.log2(window.length * 2));
  const options: StftOptions = {
    fftSize,
    hopSize: Math.round(sampleRateHz / FRAMES_PER_SECOND),
    window,
    padding: 'zero',
  };
  const maxHz = highestHz(sampleRateHz);
  const filters = melFilterBank({ sampleRateHz, fftSize, bands: BANDS, maxHz, norm: 'none' });
  const frames = stftFrameCount(samples.length, options);
  const decibels = new Float32Array(BANDS * frames);
  const fullScale = (sumOf(window) / 2) ** 2;
  const powers = new Float64Array(fftSize / 2 + 1);
  const melPowers = new Float64Array(BANDS);
  let frame = 0;
  for (const bins of stft(samples, options)) {
    for (let k = 0; k < powers.length; k++) powers[k] = (bins[2 * k] ** 2 + bins[2 * k + 1] ** 2) / fullScale;
    applyMel(filters, powers, melPowers);
    for (let band = 0; band < BANDS; band++)
      decibels[band * frames + frame] = 10 * Math.log10(melPowers[band] + 1e-12);
    frame++;
  }
  return { decibels, bands: BANDS, frames, maxHz };
}

/** The upper edge of a recording's picture. */
export function highestHz(sampleRateHz: number): number {
  return Math.min(MAX_HZ, sampleRateHz / 2);
}

/** The spectrogram as a PNG, one pixel a frame (10 ms) and band, low frequencies at the bottom, magma from -95 to -20 dB. */
export function spectrogramPng(samples: Float32Array, sampleRateHz: number): Uint8Array {
  const { decibels, bands, frames } = logMelSpectrogram(samples, sampleRateHz);
  const { min, max } = DECIBEL_RANGE;
  const pixels = new Uint8Array(bands * frames);
  for (let band = 0; band < bands; band++) {
    const row = (bands - 1 - band) * frames;
    for (let frame = 0; frame < frames; frame++) {
      const brightness = (decibels[band * frames + frame] - min) / (max - min);
      pixels[row + frame] = Math.round(255 * Math.min(1, Math.max(0, brightness)));
    }
  }
  return encodePng(pixels, frames, bands, MAGMA);
}

/**
 * A log-mel spectrogram as an address for an `<img>`: a PNG with a pixel for each frame (10 ms) and band, low frequencies at the bottom, magma
 * from -95 to -20 dB.
 */
export function spectrogramDataUri(samples: Float32Array, sampleRateHz: number): string {
  return `data:image/png;base64,${Buffer.from(spectrogramPng(samples, sampleRateHz)).toString('base64')}`;
}
