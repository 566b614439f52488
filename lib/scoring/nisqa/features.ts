import { applyMel, melFilterBank } from '../../audio/mel.js';
import { hannWindow, stft, stftFrameCount, type StftOptions } from '../../audio/stft.js';

export const MEL_BANDS = 48;
/** Frames of one segment, what the network's first part looks at. */
export const SEGMENT_FRAMES = 15;
const SEGMENT_HOP_FRAMES = 4;
/** The authors' `ms_max_segments` for long files: 120 s. */
const MAX_SEGMENTS = 3000;

const FFT_SIZE = 4096;
const HOP_SECONDS = 0.01;
const WINDOW_SECONDS = 0.02;
const MAX_MEL_HZ = 20_000;
const MIN_POWER = 1e-8;
const DYNAMIC_RANGE_DB = 80;
const SAMPLE_RATES_HZ = { min: 1000, max: FFT_SIZE / WINDOW_SECONDS };

/** What NISQA's network sees of a recording. */
export interface NisqaFeatures {
  /** [frames, MEL_BANDS] in dB, row-major. */
  decibels: Float32Array;
  /** The first frame of each segment. */
  segmentStarts: Int32Array;
}

/**
 * The mel spectrogram of a mono recording at its own sample rate, as NISQA v2.0 computes it: 20 ms Hann windows every 10 ms, a 4096-point
 * transform, 48 Slaney mels up to 20 kHz (empty above half the sample rate), in dB and at most 80 dB below the recording's loudest value.
 *
 * Source: Mittag et al., "NISQA: A Deep CNN-Self-Attention Model for Multidimensional Speech Quality Prediction", Interspeech 2021,
 * and its published code.
 *
 * @throws Error when the recording is empty, shorter than 0.14 s, longer than 120 s, or holds a value that is not a number
 */
export function nisqaFeatures(samples: Float32Array, sampleRateHz: number): NisqaFeatures {
  const options = stftOptions(sampleRateHz);
  if (samples.length === 0) throw new Error('it holds no samples');
  if (!samples.every(Number.isFinite)) throw new Error('it holds a sample that is not a finite number');
  const frameCount = stftFrameCount(samples.length, options);
  const segmentCount = Math.ceil((frameCount - SEGMENT_FRAMES + 1) / SEGMENT_HOP_FRAMES);
  const seconds = (samples.length / sampleRateHz).toFixed(4);
  if (segmentCount < 1)
    throw new Error(`it is too short for NISQA: ${seconds} s; at least 0.14 s are needed`);
  if (segmentCount > MAX_SEGMENTS)
    throw new Error(`it is too long for NISQA: ${seconds} s; at most 120 s are possible`);
  return {
    decibels: melDecibels(samples, sampleRateHz, options),
    segmentStarts: Int32Array.from({ length: segmentCount }, (_, segment) => segment * SEGMENT_HOP_FRAMES),
  };
}

function stftOptions(sampleRateHz: number): StftOptions {
  if (!(sampleRateHz >= SAMPLE_RATES_HZ.min && sampleRateHz <= SAMPLE_RATES_HZ.max)) {
    throw new Error(
      `NISQA takes sample rates from ${SAMPLE_RATES_HZ.min} to ${SAMPLE_RATES_HZ.max} Hz, not ${sampleRateHz}`,
    );
  }
  return {
    fftSize: FFT_SIZE,
    hopSize: Math.trunc(sampleRateHz * HOP_SECONDS),
    window: hannWindow(Math.trunc(sampleRateHz * WINDOW_SECONDS)),
    padding: 'reflect',
  };
}

function melDecibels(samples: Float32Array, sampleRateHz: number, options: StftOptions): Float32Array {
  const filters = melFilterBank({ sampleRateHz, fftSize: FFT_SIZE, bands: MEL_BANDS, maxHz: MAX_MEL_HZ });
  const decibels = new Float32Array(stftFrameCount(samples.length, options) * MEL_BANDS);
  const magnitudes = new Float64Array(FFT_SIZE / 2 + 1);
  const mel = new Float64Array(MEL_BANDS);
  let offset = 0;
  let loudest = -Infinity;
  for (const spectrum of stft(samples, options)) {
    for (let bin = 0; bin < magnitudes.length; bin++) {
      magnitudes[bin] = Math.sqrt(spectrum[2 * bin] ** 2 + spectrum[2 * bin + 1] ** 2);
    }
    applyMel(filters, magnitudes, mel);
    for (const value of mel) {
      const decibel = 10 * Math.log10(Math.max(MIN_POWER, value * value));
      loudest = Math.max(loudest, decibel);
      decibels[offset++] = decibel;
    }
  }
  const floor = loudest - DYNAMIC_RANGE_DB;
  return decibels.map((value) => Math.max(value, floor));
}
