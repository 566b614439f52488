/** The spoken phrases as the default's training sees them: trimmed, at one level, split by sentence. */
import { readWav, toMono } from '../../lib/audio/wav.js';
import { SAMPLE_RATE_HZ } from '../../lib/codec/spectral/features.js';
import { speechFile, type Utterance } from './utterances.js';

export const SPLITS = ['test', 'validation', 'train'] as const;
export type Split = (typeof SPLITS)[number];

export const TEST_SENTENCES = 100;
const VALIDATION_SENTENCES = 100;
/** So many sentences it takes for one to be trained on. */
export const FEWEST_SENTENCES = TEST_SENTENCES + VALIDATION_SENTENCES + 1;

/** Below this amplitude a recording's ends are silence; so much of it stays. */
const SILENCE = 0.01;
const KEPT_SILENCE_SECONDS = 0.06;

/** Level of every recording. A peak below 0.5 leaves room for the "louder" effect's factor of two. */
const RMS = 0.08;
const LARGEST_PEAK = 0.48;

export function splitOf({ index }: Utterance): Split {
  if (index < TEST_SENTENCES) return 'test';
  return index < TEST_SENTENCES + VALIDATION_SENTENCES ? 'validation' : 'train';
}

/** @throws Error when the phrase is not spoken yet, or its file is silent */
export async function loadRecording(utterance: Utterance): Promise<Float32Array> {
  const file = speechFile(utterance);
  const samples = toMono(await readWav(file));
  const isSound = (sample: number): boolean => Math.abs(sample) > SILENCE;
  const first = samples.findIndex(isSound);
  if (first < 0) throw new Error(`${file}: silent; delete it and run speech.js again.`);
  const margin = Math.round(KEPT_SILENCE_SECONDS * SAMPLE_RATE_HZ);
  const trimmed = samples.slice(Math.max(0, first - margin), samples.findLastIndex(isSound) + margin);
  const rms = Math.sqrt(trimmed.reduce((sum, sample) => sum + sample * sample, 0) / trimmed.length);
  const peak = trimmed.reduce((largest, sample) => Math.max(largest, Math.abs(sample)), 0);
  const gain = Math.min(RMS / rms, LARGEST_PEAK / peak);
  return trimmed.map((sample) => sample * gain);
}
