import { melFilterBank } from '../../audio/mel.js';
import { hannWindow } from '../../audio/stft.js';
import { compile, tf, type Compiled, type Device } from '../../engine/index.js';

export const MEL_BANDS = 120;
export const MEL_FRAMES = 900;

const SAMPLE_RATE_HZ = 16_000;
const FFT_SIZE = 321;
const BINS = Math.floor(FFT_SIZE / 2) + 1;
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
  const window = hannWindow(FFT_SIZE);
  const basis = (wave: (angle: number) => number) => ({
    shape: [FFT_SIZE, BINS],
    data: Float32Array.from({ length: FFT_SIZE * BINS }, (_, i) => {
      const [sample, bin] = [Math.floor(i / BINS), i % BINS];
      return window[sample] * wave((2 * Math.PI * ((sample * bin) % FFT_SIZE)) / FFT_SIZE);
    }),
  });
  const bands = melFilterBank({ sampleRateHz: SAMPLE_RATE_HZ, fftSize: FFT_SIZE, bands: MEL_BANDS });
  const filters = new Float32Array(BINS * MEL_BANDS);
  bands.forEach(({ firstBin, weights }, band) => {
    weights.forEach((weight, i) => (filters[(firstBin + i) * MEL_BANDS + band] = weight));
  });
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
        cosines: basis(Math.cos),
        sines: basis(Math.sin),
        filters: { shape: [BINS, MEL_BANDS], data: filters },
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
