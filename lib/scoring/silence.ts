import { checkFinite, UnscorableSample } from './unscorable.js';

/** How much of a recording is no sound at all, and how much is cut off at its peak: what NISQA does not see (silence scores 2.1). */
export interface LevelScores {
  /** Root mean square of all samples, dB relative to full scale; -Infinity for digital silence. */
  levelDb: number;
  /** Largest magnitude, dB relative to full scale. */
  peakDb: number;
  /** Share of 20 ms frames below -60 dB, 0 to 1. */
  silentShare: number;
  /** Share of samples that lie in a run of three or more at the recording's highest or lowest value, 0 to 1. */
  clippedShare: number;
}

const FRAME_SECONDS = 0.02;
const SILENCE_DB = -60;
const MIN_CLIPPED_RUN = 3;

/** At most this share of frames may hold sound for a recording to count as silent. */
const MAX_SOUND_SHARE = 0.02;

/** Root mean square of all samples, dB relative to full scale; -Infinity for digital silence, NaN for no samples. */
export function measureLevelDb(samples: Float32Array): number {
  return levelBetween(samples, 0, samples.length);
}

/** Of the samples from one index to before another. */
function levelBetween(samples: Float32Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += samples[i] * samples[i];
  return 10 * Math.log10(sum / (to - from));
}

/**
 * Measures level, silence and clipping of a mono recording.
 *
 * @throws UnscorableSample when it holds no samples, or values that are not numbers
 */
export function measureLevel(samples: Float32Array, sampleRateHz: number): LevelScores {
  if (samples.length === 0) throw new UnscorableSample('it holds no samples');
  checkFinite(samples);
  const frameSize = Math.max(1, Math.round(sampleRateHz * FRAME_SECONDS));
  const frameCount = Math.ceil(samples.length / frameSize);
  let silentFrames = 0;
  for (let frame = 0; frame < frameCount; frame++) {
    const end = Math.min(samples.length, (frame + 1) * frameSize);
    if (levelBetween(samples, frame * frameSize, end) < SILENCE_DB) silentFrames++;
  }
  let [lowest, highest] = [Infinity, -Infinity];
  for (let i = 0; i < samples.length; i++) {
    if (samples[i] < lowest) lowest = samples[i];
    if (samples[i] > highest) highest = samples[i];
  }
  return {
    levelDb: measureLevelDb(samples),
    peakDb: 20 * Math.log10(Math.max(-lowest, highest)),
    silentShare: silentFrames / frameCount,
    clippedShare:
      highest === lowest ? 0 : (runLength(samples, highest) + runLength(samples, lowest)) / samples.length,
  };
}

/** True for a recording that nobody would hear anything in: at least 98 % of it is below -60 dB. */
export function isSilent(samples: Float32Array, sampleRateHz: number): boolean {
  return samples.length === 0 || measureLevel(samples, sampleRateHz).silentShare >= 1 - MAX_SOUND_SHARE;
}

/** How many samples lie in runs of at least three that equal `value`. */
function runLength(samples: Float32Array, value: number): number {
  let total = 0;
  let run = 0;
  for (let i = 0; i <= samples.length; i++) {
    if (i < samples.length && samples[i] === value) run++;
    else {
      if (run >= MIN_CLIPPED_RUN) total += run;
      run = 0;
    }
  }
  return total;
}
