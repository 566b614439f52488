/** The voice encoder, compared with the Python package Resemblyzer (test/fixtures/voice-encoder/make.py). */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import {
  loadVoiceEncoder,
  parseVoiceEncoderWeights,
  voiceSimilarity,
  type VoiceEncoder,
} from '../../lib/scoring/voice-encoder.js';
import { torchFile } from '../support/torch-file.js';

interface Sound {
  f0: number;
  formants: number[];
  seconds: number;
  peak: number;
}

interface Golden {
  sounds: Record<string, Sound & { embedding: number[] }>;
  similarities: Record<string, Record<string, number>>;
}

const golden = JSON.parse(readFileSync('test/fixtures/voice-encoder/embeddings.json', 'utf8')) as Golden;
const sampleRateHz = 16_000;

/** As `sound` in make.py. */
function soundOf({ f0, formants, seconds, peak }: Sound): Float32Array {
  const weights = Array.from({ length: Math.floor(4000 / f0) }, (_, i) =>
    formants.reduce((sum, formant) => sum + 1 / (1 + (((i + 1) * f0 - formant) / 150) ** 2), 0),
  );
  const all = weights.reduce((sum, weight) => sum + weight);
  return Float32Array.from({ length: Math.trunc(seconds * sampleRateHz) }, (_, i) => {
    const t = i / sampleRateHz;
    const phase = 2 * Math.PI * f0 * t + 0.8 * Math.sin(2 * Math.PI * 3 * t);
    const total = weights.reduce((sum, weight, k) => sum + weight * Math.sin((k + 1) * phase), 0);
    return ((peak * total) / all) * Math.sin(2 * Math.PI * 2 * t) ** 2;
  });
}

// Tests do not download: it is there when RESEMBLYZER_WEIGHTS or the user's cache has it.
const encoder = await loadVoiceEncoder().catch((error: Error) => error);
if (encoder instanceof Error) {
  if (process.env.SPEECH_DPO_REQUIRE_SHARED === '1') throw encoder;
  console.warn(`Skipped: the voice encoder is not compared with Resemblyzer. ${encoder.message}`);
}

describe.skipIf(encoder instanceof Error)('the voice encoder, compared with Resemblyzer', () => {
  const { embed, dispose } = encoder as VoiceEncoder;
  afterAll(() => dispose());
  const made = new Map<string, Float32Array>();

  it.each(Object.entries(golden.sounds))('%s', async (name, { embedding, ...sound }) => {
    const found = await embed({ samples: soundOf(sound), sampleRateHz });
    made.set(name, found);
    expect(Math.max(...found.map((value, i) => Math.abs(value - embedding[i])))).toBeLessThan(1e-4);
  });

  it('finds the same similarities', () => {
    for (const [a, others] of Object.entries(golden.similarities))
      for (const [b, similarity] of Object.entries(others))
        expect(Math.abs(voiceSimilarity(made.get(a)!, made.get(b)!) - similarity)).toBeLessThan(1e-4);
  });

  it('resamples what has another rate', async () => {
    const { embedding, ...sound } = golden.sounds['two parts'];
    const samples = soundOf(sound);
    const doubled = Float32Array.from({ length: 2 * samples.length }, (_, i) =>
      i % 2 === 0 ? samples[i / 2] : (samples[(i - 1) / 2] + (samples[(i + 1) / 2] ?? 0)) / 2,
    );
    const found = await embed({ samples: doubled, sampleRateHz: 2 * sampleRateHz });
    expect(voiceSimilarity(found, Float32Array.from(embedding))).toBeGreaterThan(0.99);
  });

  it.each([
    ['nothing', new Float32Array(0), 'it holds no samples'],
    ['silence', new Float32Array(16_000), 'it is silent'],
    ['NaN', new Float32Array(16_000).fill(NaN), 'not a finite number'],
  ])('refuses %s', async (_, samples, message) => {
    await expect(embed({ samples, sampleRateHz })).rejects.toThrow(message);
  });
});

describe('parseVoiceEncoderWeights', () => {
  it('names what is no checkpoint of the encoder', () => {
    expect(() => parseVoiceEncoderWeights(torchFile(new Map()), 'x.pt')).toThrow('x.pt: not a state dict');
    const empty = parseVoiceEncoderWeights(torchFile(new Map([['model_state', new Map()]])), 'x.pt');
    expect(() => empty('linear.bias', [256])).toThrow(
      'x.pt: the weight "linear.bias" is missing; expected float32 [256]',
    );
  });
});
