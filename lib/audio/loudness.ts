import { meanOf } from '../mean.js';
import type { MonoRecording } from './wav.js';

const BLOCK_STEPS = 4;
const STEP_SECONDS = 0.1;
const ABSOLUTE_GATE = -70;
const RELATIVE_GATE = -10;

/**
 * Integrated gated loudness of a mono recording in LUFS (ITU-R BS.1770-4): the power after K-weighting, of blocks of 400 ms that overlap by
 * 75 %, without the blocks below -70 LUFS and those 10 LU below the mean of the others. The filters are those that give the
 * recommendation's coefficients at 48 kHz, for any rate (De Man, "Evaluation of implementations of the EBU R128 loudness measurement", 2018).
 *
 * A recording of less than 400 ms, which the recommendation leaves out, is one block.
 *
 * @returns -Infinity where all is below -70 LUFS
 */
export function gatedLoudness({ samples, sampleRateHz }: MonoRecording): number {
  if (samples.length === 0) return -Infinity;
  const weighted = filter(filter(samples, highShelf(sampleRateHz)), highPass(sampleRateHz));
  const powers = blockPowers(weighted, sampleRateHz);
  const audible = powers.filter((power) => loudnessOf(power) >= ABSOLUTE_GATE);
  if (audible.length === 0) return -Infinity;
  const gate = loudnessOf(meanOf(audible)) + RELATIVE_GATE;
  return loudnessOf(meanOf(audible.filter((power) => loudnessOf(power) > gate)));
}

/** What {@link matchLoudness} aims at, as broadcasters do (EBU R 128). */
export const TARGET_LUFS = -23;
/** Highest sample that a matched recording may have, so that nothing is clipped between samples either. */
const CEILING = 10 ** (-1 / 20);

/**
 * Recordings that are equally loud: each one multiplied by one number, so that its {@link gatedLoudness} is `lufs`. That is -23 LUFS, or as
 * much less as the one with the highest peaks for its loudness needs, so that no sample of any is above -1 dB of full scale. Silence (nothing
 * above -70 LUFS) stays as it is.
 */
export function matchLoudness(recordings: readonly MonoRecording[]): {
  recordings: MonoRecording[];
  lufs: number;
} {
  const measured = recordings.map((recording) => {
    if (gatedLoudness(recording) === -Infinity) return { recording, peak: 0, loudness: -Infinity };
    const peak = recording.samples.reduce((largest, sample) => Math.max(largest, Math.abs(sample)), 0);
    // At full scale, where the gate at -70 LUFS cuts off no part of a faint recording.
    const full = { ...recording, samples: recording.samples.map((sample) => sample / peak) };
    return { recording, peak, loudness: gatedLoudness(full) };
  });
  const limits = measured.map(({ loudness }) => loudness + 20 * Math.log10(CEILING));
  const lufs = Math.min(TARGET_LUFS, ...limits.filter(Number.isFinite));
  return {
    lufs,
    recordings: measured.map(({ recording, peak, loudness }) => {
      if (loudness === -Infinity) return recording;
      const gain = 10 ** ((lufs - loudness) / 20) / peak;
      return { ...recording, samples: recording.samples.map((sample) => gain * sample) };
    }),
  };
}

function loudnessOf(power: number): number {
  return -0.691 + 10 * Math.log10(power);
}

/** Mean square of every whole block of 400 ms; of a shorter signal, of all of it. */
function blockPowers(signal: Float64Array, sampleRateHz: number): number[] {
  const start = (step: number) => Math.round(step * STEP_SECONDS * sampleRateHz);
  const powers: number[] = [];
  for (let step = 0; start(step + BLOCK_STEPS) <= signal.length; step++) {
    powers.push(meanSquare(signal.subarray(start(step), start(step + BLOCK_STEPS))));
  }
  return powers.length > 0 ? powers : [meanSquare(signal)];
}

function meanSquare(signal: Float64Array): number {
  return signal.reduce((total, sample) => total + sample * sample, 0) / signal.length;
}

/** b and a of (b0 + b1 z^-1 + b2 z^-2) / (1 + a1 z^-1 + a2 z^-2). */
interface Biquad {
  b: readonly [number, number, number];
  a: readonly [number, number];
}

/** K-weighting's first stage: the head's effect, some 4 dB above 1.7 kHz. */
function highShelf(sampleRateHz: number): Biquad {
  const [frequencyHz, gainDb, q] = [1681.9744509555319, 3.99984385397, 0.7071752369554193];
  const k = Math.tan((Math.PI * frequencyHz) / sampleRateHz);
  const high = 10 ** (gainDb / 20);
  const band = high ** 0.499666774155;
  const a0 = 1 + k / q + k * k;
  return {
    b: [
      (high + (band * k) / q + k * k) / a0,
      (2 * (k * k - high)) / a0,
      (high - (band * k) / q + k * k) / a0,
    ],
    a: [(2 * (k * k - 1)) / a0, (1 - k / q + k * k) / a0],
  };
}

/** K-weighting's second stage: low frequencies are heard less. */
function highPass(sampleRateHz: number): Biquad {
  const [frequencyHz, q] = [38.13547087613982, 0.5003270373253953];
  const k = Math.tan((Math.PI * frequencyHz) / sampleRateHz);
  const a0 = 1 + k / q + k * k;
  return { b: [1, -2, 1], a: [(2 * (k * k - 1)) / a0, (1 - k / q + k * k) / a0] };
}

function filter(signal: Float32Array | Float64Array, { b, a }: Biquad): Float64Array {
  const filtered = new Float64Array(signal.length);
  let [x1, x2, y1, y2] = [0, 0, 0, 0];
  for (let i = 0; i < signal.length; i++) {
    const x = signal[i];
    const y = b[0] * x + b[1] * x1 + b[2] * x2 - a[0] * y1 - a[1] * y2;
    [x2, x1, y2, y1] = [x1, x, y1, y];
    filtered[i] = y;
  }
  return filtered;
}
