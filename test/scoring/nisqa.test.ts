import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readWav, toMono } from '../../lib/audio/wav.js';
import { nisqaFeatures } from '../../lib/scoring/nisqa/features.js';
import { DIMENSIONS } from '../../lib/scoring/nisqa/network.js';
import { loadNisqa, type Nisqa, type NisqaScores } from '../../lib/scoring/nisqa/nisqa.js';
import { parseNisqaWeights } from '../../lib/scoring/nisqa/weights.js';
import { sharedPath } from '../support/shared.js';
import { torchFile } from '../support/torch-file.js';

const seconds = (count: number) => new Float32Array(count * 16000);

describe('nisqaFeatures', () => {
  it('is -80 dB everywhere for silence', () => {
    const { decibels, segmentStarts } = nisqaFeatures(seconds(1), 16000);
    expect(decibels).toHaveLength(101 * 48);
    expect(decibels.every((value) => value === -80)).toBe(true);
    expect(segmentStarts).toHaveLength(22);
    expect(segmentStarts.at(-1)).toBe(84);
  });

  it('hears a tone in the mel band where it belongs, no more than 80 dB above the rest', () => {
    const tone = seconds(0.5).map((_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / 16000));
    const { decibels } = nisqaFeatures(tone, 16000);
    const frame = decibels.subarray(20 * 48, 21 * 48);
    // 440 Hz lies 5.5 of 49 steps up the mel axis: between the centres of bands 4 and 5.
    expect([4, 5]).toContain(frame.indexOf(Math.max(...frame)));
    expect(Math.max(...decibels) - Math.min(...decibels)).toBeCloseTo(80, 3);
  });

  it.each([
    ['no samples', new Float32Array(0), 'holds no samples'],
    ['one sample', new Float32Array(1), 'too short for NISQA: 0.0001 s'],
    ['121 s', seconds(121), 'too long for NISQA: 121.0000 s'],
    ['NaN', seconds(1).fill(NaN), 'not a finite number'],
  ])('refuses %s', (_, samples, message) => {
    expect(() => nisqaFeatures(samples, 16000)).toThrow(message);
  });

  it('refuses a sample rate that no window fits', () => {
    expect(() => nisqaFeatures(seconds(1), 500_000)).toThrow(
      'sample rates from 1000 to 204800 Hz, not 500000',
    );
  });
});

describe('parseNisqaWeights', () => {
  it('refuses a network of another kind', () => {
    const tts = torchFile(new Map([['args', new Map([['model', 'NISQA']])]]));
    expect(() => parseNisqaWeights(tts, 'nisqa_tts.tar')).toThrow(
      'nisqa_tts.tar: a NISQA network with model = "NISQA"; only "NISQA_DIM"',
    );
    expect(() => parseNisqaWeights(torchFile(new Map()), 'x.pt')).toThrow('x.pt: not a NISQA checkpoint');
  });
});

interface Golden {
  files: Record<string, { scores?: NisqaScores; error?: string }>;
}

const goldenPath = sharedPath('golden/nisqa.json');
const weightsPath = sharedPath('nisqa/nisqa.tar');
describe.skipIf(!goldenPath || !weightsPath)("NISQA v2.0, compared with its authors' code", () => {
  const golden: Golden['files'] = goldenPath
    ? (JSON.parse(readFileSync(goldenPath, 'utf8')) as Golden).files
    : {};
  const scored = Object.entries(golden).filter(([, { scores }]) => scores);
  const failing = Object.entries(golden).filter(([, { error }]) => error);
  const pathOf = (file: string) => sharedPath(`golden/audio/${file}`)!;
  const difference = (a: NisqaScores, b: NisqaScores) =>
    Math.max(...DIMENSIONS.map((key) => Math.abs(a[key] - b[key])));
  let nisqa: Nisqa;
  beforeAll(async () => {
    nisqa = await loadNisqa(weightsPath);
  });
  afterAll(() => nisqa.dispose());

  it.each(scored)('%s', async (file, { scores }) => {
    expect(difference(await nisqa.scoreFile(pathOf(file)), scores!)).toBeLessThan(1e-4);
  });

  it.each(failing)('%s fails with its name and the reason', async (file) => {
    await expect(nisqa.scoreFile(pathOf(file))).rejects.toThrow(
      new RegExp(`${file}: it (is too short for NISQA|holds no samples)`),
    );
  });

  it('gives a batch of unequal lengths the scores of its parts', async () => {
    const recordings = await Promise.all(Object.keys(golden).map((file) => readWav(pathOf(file))));
    const results = await nisqa.scoreBatch(
      recordings.map((recording) => ({ samples: toMono(recording), sampleRateHz: recording.sampleRateHz })),
    );
    Object.values(golden).forEach(({ scores }, i) => {
      const result = results[i];
      if (scores) expect(difference(result as NisqaScores, scores)).toBeLessThan(1e-4);
      else expect(result).toBeInstanceOf(Error);
    });
  });
});
