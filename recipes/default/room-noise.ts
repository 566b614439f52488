/** The noise that part of the edited recordings come with: no instruction mentions it, so a policy learns to write both kinds. */
import { amplify } from '../../lib/audio/effects.js';
import { measureLevelDb } from '../../lib/scoring/silence.js';
import { uniformStream, type Uniform } from '../../lib/random.js';

/** Of the targets that a policy learns from. */
export const NOISY_SHARE = 0.55;
/** Signal-to-noise ratio of a noisy recording, decibels: from a quiet office to a busy street. */
export const [LOWEST_SNR_DB, HIGHEST_SNR_DB] = [15, 25];

/** `samples` with pink noise, or null where the recording is to stay clean. The same key gives the same noise. */
export function addRoomNoise(samples: Float32Array, ...key: number[]): Float32Array | null {
  const uniform = uniformStream(...key);
  if (uniform() >= NOISY_SHARE) return null;
  const snrDb = LOWEST_SNR_DB + uniform() * (HIGHEST_SNR_DB - LOWEST_SNR_DB);
  const pink = pinkNoise(samples.length, uniform);
  const noise = amplify(pink, measureLevelDb(samples) - snrDb - measureLevelDb(pink));
  return samples.map((sample, i) => sample + noise[i]);
}

/** Noise whose power falls by 3 dB an octave: white noise through Paul Kellet's filter (musicdsp.org, archive 76, "economy"). */
function pinkNoise(length: number, uniform: Uniform): Float32Array {
  let [low, middle, high] = [0, 0, 0];
  return Float32Array.from({ length }, () => {
    const white = 2 * uniform() - 1;
    low = 0.99765 * low + 0.099046 * white;
    middle = 0.963 * middle + 0.2965164 * white;
    high = 0.57 * high + 1.0526913 * white;
    return low + middle + high + 0.1848 * white;
  });
}
