/**
 * What the spectral codec keeps of a sound: the log-mel spectrum, pitch and voicing, 100 times a second, two frames stacked into
 * one vector of 164 numbers for each code at 50 Hz.
 */
import { trackF0 } from '../../audio/f0.js';
import { createRealFft } from '../../audio/fft.js';
import { applyMel, melFilterBank } from '../../audio/mel.js';
import { hannWindow } from '../../audio/stft.js';
import { sumOf } from '../../mean.js';

export const SAMPLE_RATE_HZ = 16000;
/** Samples from one analysis frame to the next: 100 Hz. */
export const HOP = 160;
export const SAMPLES_PER_CODE = 2 * HOP;
export const MEL_BANDS = 80;
/** Two mel frames, two values of ln F0, two of voicing. */
export const FEATURES = 2 * (MEL_BANDS + 2);

const FFT_SIZE = 1024;
const MEL_FLOOR = 5e-5;
/** What ln F0 (in nats) and voicing (+-1) are multiplied by, to weigh as much as they should in the codebooks' distances. */
export const LOG_F0_WEIGHT = 8;
const VOICING_WEIGHT = 1.5;

/** Means and scale that bring features to about zero mean and unit variance. */
export interface FeatureScale {
  melMean: Float32Array;
  melDeviation: number;
  logF0Mean: number;
}

/** Analysis of one recording, before scaling. */
export interface Analysis {
  /** Twice the number of codes. */
  frames: number;
  /** [frames, MEL_BANDS] */
  logMel: Float32Array;
  logF0: Float32Array;
  voiced: Uint8Array;
}

/** HTK mel filters from 20 Hz, each of weights that sum to one. */
const MEL_FILTERS = melFilterBank({
  sampleRateHz: SAMPLE_RATE_HZ,
  fftSize: FFT_SIZE,
  bands: MEL_BANDS,
  minHz: 20,
  scale: 'htk',
  norm: 'none',
}).map(({ firstBin, weights }) => {
  const sum = sumOf(weights);
  return { firstBin, weights: weights.map((weight) => weight / sum) };
});

/** Codes needed for that many samples. */
function codeCount(samples: number): number {
  return Math.ceil(samples / SAMPLES_PER_CODE);
}

/** Log-mel magnitudes ln(|X| * 2 / sum(window) + 5e-5) and F0; frame t is centred on sample 160 t + 80. */
export function analyse(samples: Float32Array): Analysis {
  const frames = 2 * codeCount(samples.length);
  const padded = new Float32Array(frames * HOP + FFT_SIZE - HOP);
  padded.set(samples, FFT_SIZE / 2 - HOP / 2);
  const window = hannWindow(FFT_SIZE);
  const scale = 2 / sumOf(window);
  const fft = createRealFft(FFT_SIZE);
  const frame = new Float64Array(FFT_SIZE);
  const magnitudes = new Float64Array(fft.bins);
  const mel = new Float64Array(MEL_BANDS);
  const logMel = new Float32Array(frames * MEL_BANDS);
  for (let t = 0; t < frames; t++) {
    for (let i = 0; i < FFT_SIZE; i++) frame[i] = padded[t * HOP + i] * window[i];
    const spectrum = fft.forward(frame);
    for (let bin = 0; bin < fft.bins; bin++) {
      magnitudes[bin] = Math.hypot(spectrum[2 * bin], spectrum[2 * bin + 1]) * scale;
    }
    applyMel(MEL_FILTERS, magnitudes, mel);
    for (let band = 0; band < MEL_BANDS; band++)
      logMel[t * MEL_BANDS + band] = Math.log(mel[band] + MEL_FLOOR);
  }
  return { frames, logMel, ...trackF0(padded, HOP, frames) };
}

/** Scaled features [codes, FEATURES]: mel frames 2k and 2k+1, then their ln F0, then their voicing. */
export function scaleFeatures(
  { frames, logMel, logF0, voiced }: Analysis,
  scale: FeatureScale,
): Float32Array {
  const features = new Float32Array((frames / 2) * FEATURES);
  for (let t = 0; t < frames; t++) {
    const row = (t >> 1) * FEATURES;
    const half = t & 1;
    for (let band = 0; band < MEL_BANDS; band++) {
      features[row + half * MEL_BANDS + band] =
        (logMel[t * MEL_BANDS + band] - scale.melMean[band]) / scale.melDeviation;
    }
    features[row + 2 * MEL_BANDS + half] = (logF0[t] - scale.logF0Mean) * LOG_F0_WEIGHT;
    features[row + 2 * MEL_BANDS + 2 + half] = (voiced[t] ? 1 : -1) * VOICING_WEIGHT;
  }
  return features;
}
