import { compile, tf, type Compiled, type Device } from '../../engine/index.js';
import { melMatrix, windowedWaves } from '../spectrum-matrices.js';

export const MEL_BANDS = 120;
export const MEL_FRAMES = 900;

const SAMPLE_RATE_HZ = 16_000;
const FFT_SIZE = 321;
const HOP = 160;
const MIN_POWER = 1e-10;
const DECIBELS_PER_NEPER = 10 / Math.LN10;
const DYNAMIC_RANGE_DB = 80;

/**
 * What the P.808 network sees: a mel spectrogram of power in dB below its loudest value, scaled to -1 ... 1, as librosa computes it.
 *
 * Input: frames [MEL_FRAMES, FFT_SIZE], of {@link framesOf}; output: levels [MEL_FRAMES, MEL_BANDS].
 */
export function compileMel(device: Device): Promise<Compiled> {
  return compile(
    ({ frames, cosines, sines, filters }) => {
      const power = tf.add(tf.square(tf.matMul(frames, cosines)), tf.square(tf.matMul(frames, sines)));
      const mel = tf.maximum(tf.matMul(power, filters), MIN_POWER);
      const decibels = tf.mul(tf.log(mel), DECIBELS_PER_NEPER);
      const range = tf.maximum(tf.sub(decibels, tf.max(decibels)), -DYNAMIC_RANGE_DB);
      const half = DYNAMIC_RANGE_DB / 2;
      return { levels: tf.div(tf.add(range, half), half) };
    },
    { frames: { shape: [MEL_FRAMES, FFT_SIZE], dtype: 'float32' } },
    {
      device,
      constants: {
        cosines: windowedWaves(FFT_SIZE, Math.cos),
        sines: windowedWaves(FFT_SIZE, Math.sin),
        filters: melMatrix({ sampleRateHz: SAMPLE_RATE_HZ, fftSize: FFT_SIZE, bands: MEL_BANDS }),
      },
    },
  );
}

/** Overlapping frames [MEL_FRAMES, FFT_SIZE] of a window of 9.01 s at 16 kHz, whose last hop is left out; around it are zeros. */
export function framesOf(window: Float32Array): Float32Array {
  const margin = Math.floor(FFT_SIZE / 2);
  const padded = new Float32Array(window.length - HOP + 2 * margin);
  padded.set(window.subarray(0, window.length - HOP), margin);
  const frames = new Float32Array(MEL_FRAMES * FFT_SIZE);
  for (let t = 0; t < MEL_FRAMES; t++) frames.set(padded.subarray(t * HOP, t * HOP + FFT_SIZE), t * FFT_SIZE);
  return frames;
}
