/** Audible edits of speech, each at one strength: what the default policy learns to do to codes. */
import { stretchTime } from './time-stretch.js';

/** The edits that the embedded model has learned. */
export const EFFECTS = [
  'faster',
  'slower',
  'higher',
  'lower',
  'louder',
  'quieter',
  'echo',
  'low-pass',
] as const;
/** One of {@link EFFECTS}. */
export type Effect = (typeof EFFECTS)[number];

const FASTER_TEMPO = 1.3;
const SLOWER_TEMPO = 0.77;
/** A major third up and down, in equal steps. */
const HIGHER_PITCH = 2 ** (4 / 12);
const LOWER_PITCH = 2 ** (-4 / 12);
const LOUDER_DECIBELS = 6;
const QUIETER_DECIBELS = -8;
const ECHO_DELAY_SECONDS = 0.15;
const ECHO_GAIN = 0.5;
const LOW_PASS_HZ = 1800;

/** Zero crossings of a windowed sinc on each side of its centre. */
const SINC_CROSSINGS = 16;

/**
 * `samples` (mono) with one effect. Faster and slower change the duration, echo adds its delay to it, the others keep it.
 * Louder multiplies by 2: the result stays within [-1, 1] if the input's peak is below 0.5.
 */
export function applyEffect(effect: Effect, samples: Float32Array, sampleRateHz: number): Float32Array {
  switch (effect) {
    case 'faster':
      return stretchTime(samples, FASTER_TEMPO, sampleRateHz);
    case 'slower':
      return stretchTime(samples, SLOWER_TEMPO, sampleRateHz);
    case 'higher':
      return shiftPitch(samples, HIGHER_PITCH, sampleRateHz);
    case 'lower':
      return shiftPitch(samples, LOWER_PITCH, sampleRateHz);
    case 'louder':
      return amplify(samples, LOUDER_DECIBELS);
    case 'quieter':
      return amplify(samples, QUIETER_DECIBELS);
    case 'echo':
      return addEcho(samples, ECHO_DELAY_SECONDS, ECHO_GAIN, sampleRateHz);
    case 'low-pass':
      return lowPass(samples, LOW_PASS_HZ, sampleRateHz);
  }
}

/** Multiplies all frequencies by `factor` and keeps the duration: stretched by `factor`, then read that much faster. */
export function shiftPitch(samples: Float32Array, factor: number, sampleRateHz: number): Float32Array {
  const stretched = stretchTime(samples, 1 / factor, sampleRateHz);
  const cutoff = Math.min(1, 1 / factor);
  return Float32Array.from({ length: samples.length }, (_, i) => sincSum(stretched, i * factor, cutoff));
}

export function amplify(samples: Float32Array, decibels: number): Float32Array {
  const gain = 10 ** (decibels / 20);
  return samples.map((sample) => sample * gain);
}

/** One repetition `delaySeconds` later; the result is that much longer. */
export function addEcho(
  samples: Float32Array,
  delaySeconds: number,
  gain: number,
  sampleRateHz: number,
): Float32Array {
  const delay = Math.round(delaySeconds * sampleRateHz);
  const mixed = new Float32Array(samples.length + delay);
  mixed.set(samples);
  for (let i = 0; i < samples.length; i++) mixed[i + delay] += gain * samples[i];
  return mixed;
}

/** Removes what lies above `cutoffHz` with a windowed sinc: no delay, same length. */
export function lowPass(samples: Float32Array, cutoffHz: number, sampleRateHz: number): Float32Array {
  const cutoff = (2 * cutoffHz) / sampleRateHz;
  return samples.map((_, i) => sincSum(samples, i, cutoff));
}

/**
 * The signal's value at a position between samples, band-limited to `cutoff` (1: half the sample rate): the sum of samples
 * weighted by a sinc under a Hann window of `SINC_CROSSINGS` zero crossings a side. Silence surrounds the signal.
 */
function sincSum(samples: Float32Array, position: number, cutoff: number): number {
  const reach = SINC_CROSSINGS / cutoff;
  const first = Math.max(0, Math.ceil(position - reach));
  const last = Math.min(samples.length - 1, Math.floor(position + reach));
  const step = Math.PI * cutoff;
  const start = (first - position) * step;
  // Angles advance by one step a sample, so that sine and cosine follow from the sum rules without a call each.
  const [sineStep, cosineStep] = [Math.sin(step), Math.cos(step)];
  const [windowSineStep, windowCosineStep] = [
    Math.sin(step / SINC_CROSSINGS),
    Math.cos(step / SINC_CROSSINGS),
  ];
  let [sine, cosine] = [Math.sin(start), Math.cos(start)];
  let [windowSine, windowCosine] = [Math.sin(start / SINC_CROSSINGS), Math.cos(start / SINC_CROSSINGS)];
  let sum = 0;
  for (let i = first; i <= last; i++) {
    const angle = (i - position) * step;
    const sinc = Math.abs(angle) < 1e-9 ? 1 : sine / angle;
    sum += samples[i] * sinc * (0.5 + 0.5 * windowCosine);
    const nextSine = sine * cosineStep + cosine * sineStep;
    cosine = cosine * cosineStep - sine * sineStep;
    sine = nextSine;
    const nextWindowSine = windowSine * windowCosineStep + windowCosine * windowSineStep;
    windowCosine = windowCosine * windowCosineStep - windowSine * windowSineStep;
    windowSine = nextWindowSine;
  }
  return sum * cutoff;
}
