import { uniformStream } from '../../random.js';
import { HOP, SAMPLE_RATE_HZ } from './features.js';

const LOWEST_HZ = 50;
const HIGHEST_HZ = 450;
/** Harmonics stop below half the sample rate. */
const BAND_HZ = 7900;
/** Noise beside the pulses of voiced frames, and in place of them. */
const VOICED_NOISE = 0.05;
const UNVOICED_NOISE = 1;

/**
 * A guess at the pulses of the vocal folds and the noise of speech, from which the phase is found: pulses of unit power at F0 where voiced,
 * white noise elsewhere. The noise is the same for every call. Inputs have one value for each 100 Hz frame, the result HOP samples.
 */
export function makeExcitation(f0Hz: Float32Array, voiced: ArrayLike<boolean>): Float32Array {
  const samples = new Float32Array(f0Hz.length * HOP);
  const noise = noiseOf(samples.length);
  let phase = 0;
  for (let i = 0; i < samples.length; i++) {
    const hz = Math.min(HIGHEST_HZ, Math.max(LOWEST_HZ, interpolate(f0Hz, (i + 0.5) / HOP - 0.5)));
    phase = (phase + hz / SAMPLE_RATE_HZ) % 1;
    const isVoiced = voiced[Math.floor(i / HOP)];
    samples[i] = noise[i] * (isVoiced ? VOICED_NOISE : UNVOICED_NOISE) + (isVoiced ? pulse(phase, hz) : 0);
  }
  return samples;
}

/** All harmonics up to BAND_HZ as cosines, at unit power: the Dirichlet kernel without its constant. */
function pulse(phase: number, hz: number): number {
  const harmonics = Math.floor(BAND_HZ / hz);
  const sine = Math.sin(Math.PI * phase);
  const kernel =
    Math.abs(sine) < 1e-6 ? 2 * harmonics + 1 : Math.sin(Math.PI * (2 * harmonics + 1) * phase) / sine;
  return ((kernel - 1) / 2) * Math.sqrt(2 / harmonics);
}

function interpolate(values: Float32Array, position: number): number {
  const clamped = Math.min(values.length - 1, Math.max(0, position));
  const left = Math.floor(clamped);
  const right = Math.min(values.length - 1, left + 1);
  return values[left] + (values[right] - values[left]) * (clamped - left);
}

let knownNoise: Float32Array = new Float32Array(0);

/** At least `count` standard normal numbers, always the same; they are kept, since making them takes longer than the pulses. */
function noiseOf(count: number): Float32Array {
  if (knownNoise.length < count) knownNoise = gaussianNoise(2 ** Math.ceil(Math.log2(count)));
  return knownNoise;
}

/** Standard normal numbers by Box and Muller's method. */
function gaussianNoise(count: number): Float32Array {
  const uniform = uniformStream(0);
  const noise = new Float32Array(count + 1);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    noise[i] = radius * Math.cos(angle);
    noise[i + 1] = radius * Math.sin(angle);
  }
  return noise.subarray(0, count);
}
