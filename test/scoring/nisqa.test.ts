import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { applyMel, melFilterBank } from '../../lib/audio/mel.js';
import { hannWindow, stft, type StftOptions } from '../../lib/audio/stft.js';
import { readWav, toMono, type MonoRecording } from '../../lib/audio/wav.js';
import { CpuDevice } from '../../lib/engine/index.js';
import { uniformStream } from '../../lib/random.js';
import { extractFeatures, segmentCountOf, type NisqaFeatures } from '../../lib/scoring/nisqa/features.js';
import { compileMel } from '../../lib/scoring/nisqa/mel-program.js';
import { DIMENSIONS } from '../../lib/scoring/nisqa/network.js';
import { loadNisqa, type Nisqa, type NisqaScores } from '../../lib/scoring/nisqa/nisqa.js';
import { parseNisqaWeights } from '../../lib/scoring/nisqa/weights.js';
import { device } from '../support/device.js';
import { sharedPath } from '../support/shared.js';
import { torchFile } from '../support/torch-file.js';

// A worker a core, as people have it.
vi.stubEnv('SPEECH_DPO_THREADS', '');

const seconds = (count: number) => new Float32Array(count * 16000);

/** As in the engine's worker, but from this thread. */
async function featuresOf(recordings: readonly MonoRecording[]): Promise<NisqaFeatures[]> {
  const rates = [...new Set(recordings.map(({ sampleRateHz }) => sampleRateHz))];
  const programs = await Promise.all(rates.map((rate) => compileMel(rate, device)));
  const features = await extractFeatures(
    device,
    new Map(rates.map((rate, i) => [rate, programs[i].handle!])),
    recordings,
  );
  for (const program of programs) await program.dispose();
  return features;
}

describe('the features of NISQA', () => {
  it('are -80 dB everywhere for silence', async () => {
    const [{ decibels, segmentStarts }] = await featuresOf([{ samples: seconds(1), sampleRateHz: 16000 }]);
    expect(decibels).toHaveLength(101 * 48);
    for (const value of decibels) expect(value).toBeCloseTo(-80, 4);
    expect(segmentStarts).toHaveLength(22);
    expect(segmentStarts.at(-1)).toBe(84);
  });

  // Windows of even and of odd size, recordings that share a run, and one whose upper half has no band.
  it('are the mel spectrogram that an FFT of each frame gives', async () => {
    const uniform = uniformStream(4);
    const noise = (length: number) =>
      Float32Array.from({ length }, (_, i) => (uniform() - 0.5) * Math.sin(i / 999) ** 2);
    const recordings = [16000, 22050, 16000, 48000, 96000].map((sampleRateHz, i) => ({
      sampleRateHz,
      samples: noise(5000 + 3000 * i),
    }));
    const extracted = await featuresOf(recordings);
    recordings.forEach((recording, i) => {
      const expected = decibelsByFft(recording);
      expect(extracted[i].decibels).toHaveLength(expected.length);
      const largest = expected.reduce(
        (most, value, k) => Math.max(most, Math.abs(value - extracted[i].decibels[k])),
        0,
      );
      expect(largest).toBeLessThan(1e-3);
    });
  });

  it.each([
    ['no samples', new Float32Array(0), 'holds no samples'],
    ['one sample', new Float32Array(1), 'too short for NISQA: 0.0001 s'],
    ['121 s', seconds(121), 'too long for NISQA: 121.0000 s'],
    ['NaN', seconds(1).fill(NaN), 'not a finite number'],
  ])('refuse %s', (_, samples, message) => {
    expect(() => segmentCountOf({ samples, sampleRateHz: 16000 })).toThrow(message);
  });

  it('refuse a sample rate that no window fits', () => {
    expect(() => segmentCountOf({ samples: seconds(1), sampleRateHz: 500_000 })).toThrow(
      'sample rates from 1000 to 204800 Hz, not 500000',
    );
  });
});

function decibelsByFft({ samples, sampleRateHz }: MonoRecording): number[] {
  const fftSize = 4096;
  const filters = melFilterBank({ sampleRateHz, fftSize, bands: 48, maxHz: 20_000 });
  const options: StftOptions = {
    fftSize,
    hopSize: Math.trunc(0.01 * sampleRateHz),
    window: hannWindow(Math.trunc(0.02 * sampleRateHz)),
    padding: 'reflect',
  };
  const mel = new Float64Array(48);
  const decibels: number[] = [];
  for (const spectrum of stft(samples, options)) {
    const magnitudes = Float64Array.from({ length: fftSize / 2 + 1 }, (_, bin) =>
      Math.hypot(spectrum[2 * bin], spectrum[2 * bin + 1]),
    );
    applyMel(filters, magnitudes, mel);
    decibels.push(...Array.from(mel, (value) => 10 * Math.log10(Math.max(1e-8, value ** 2))));
  }
  const floor = decibels.reduce((most, value) => Math.max(most, value)) - 80;
  return decibels.map((value) => Math.max(value, floor));
}

describe('parseNisqaWeights', () => {
  it('refuses a network of another kind', () => {
    const tts = torchFile(new Map([['args', new Map([['model', 'NISQA']])]]));
    expect(() => parseNisqaWeights(tts, 'nisqa_tts.tar')).toThrow(
      "nisqa_tts.tar: a NISQA network with model = 'NISQA'; only 'NISQA_DIM'",
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

  it('holds a bounded number of programs, whatever sample rates it meets', async () => {
    const own = new CpuDevice(1);
    const loads = vi.spyOn(own, 'load');
    const unloads = vi.spyOn(own, 'unload');
    const counted = await loadNisqa(weightsPath, { device: own });
    const recordings = Array.from({ length: 40 }, (_, i) => ({
      samples: Float32Array.from({ length: 2000 }, (_, t) => Math.sin(t * (1 + i / 40)) / 2),
      sampleRateHz: 8000 + i,
    }));
    const first = await counted.scoreBatch(recordings);
    const held = loads.mock.calls.length - unloads.mock.calls.length;
    expect(await counted.scoreBatch(recordings)).toEqual(first);
    expect(loads.mock.calls.length - unloads.mock.calls.length).toBe(held);
    // The network, and the programs of 32 sample rates.
    expect(held).toBe(33);
    await counted.dispose();
    await own.close();
  });
});
