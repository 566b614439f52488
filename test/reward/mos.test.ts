import { describe, expect, it } from 'vitest';
import { fidelityGuard, levelGuard, opinionGuard, wordGuard } from '../../lib/reward/guard.js';
import { mosReward } from '../../lib/reward/mos.js';
import type { Sample } from '../../lib/reward/reward.js';
import type { OpinionScorer } from '../../lib/scoring/opinion.js';
import { UnscorableSample } from '../../lib/scoring/unscorable.js';

const SAMPLE_RATE_HZ = 8000;
const item = { src_encodec: [[1, 1]], instruction: 'Make it slower.', tgt_encodec: [[1, 1, 1, 1]] };

const tone = (frames: number, amplitude = 0.5) =>
  Float32Array.from({ length: frames * 800 }, (_, i) => amplitude * Math.sin(i / 10));

const sampleOf = (samples: Float32Array): Sample => ({
  item,
  codes: [1],
  audio: async () => ({ samples, sampleRateHz: SAMPLE_RATE_HZ }),
});

/** Scores by length in tenths of a second. */
const scorer: OpinionScorer = {
  model: 'dnsmos',
  score: async ({ samples }) => samples.length / 800,
  dispose: async () => undefined,
};

describe('mosReward', () => {
  it('is the opinion score of the audio', async () => {
    const reward = mosReward(scorer);
    expect(reward.label).toContain('DNSMOS');
    expect(await reward.score([sampleOf(tone(3))])).toEqual([{ reward: 3 }]);
  });

  it('does not score silence', async () => {
    const silence = sampleOf(new Float32Array(8000));
    expect(await mosReward(scorer).score([silence])).toEqual([{ dropped: 'it is silent' }]);
  });
});

describe('guards', () => {
  const codec = { decode: async (codes: number[][]) => tone(codes[0].length), sampleRateHz: SAMPLE_RATE_HZ };

  it('measure a second opinion score under its name', async () => {
    expect(await opinionGuard(scorer).measure(sampleOf(tone(4)))).toEqual({ dnsmos: 4 });
  });

  it('measure fidelity against the decoded target', async () => {
    const guard = fidelityGuard(codec);
    expect((await guard.measure(sampleOf(tone(4)))).fidelity).toBeCloseTo(1, 6);
    const ignored = await guard.measure(sampleOf(tone(2)));
    expect(ignored.duration).toBeCloseTo(0, 6);
    expect(ignored.fidelity).toBeLessThan(0.7);
    // An octave was asked for, and log2(4/3) of it is missing.
    const short = await guard.measure(sampleOf(tone(3)));
    expect(short.duration).toBeCloseTo(1 - Math.log2(4 / 3), 6);
  });

  it('measure silence and clipping as shares', async () => {
    const halfSilent = new Float32Array(8000);
    halfSilent.set(tone(5));
    const { silence, clipping } = await levelGuard.measure(sampleOf(halfSilent));
    expect(silence).toBeCloseTo(0.5, 1);
    expect(clipping).toBe(0);
  });

  it("measure word errors against the item's text, or else against what is heard in the source", async () => {
    const heard = async (samples: Float32Array) => (samples.length === 1600 ? 'one two' : 'one three');
    const guard = wordGuard(heard, codec);
    expect(await guard.measure(sampleOf(tone(4)))).toEqual({ wer: 0.5 });
    const told = { ...sampleOf(tone(4)), item: { ...item, text: 'One three.' } };
    expect(await guard.measure(told)).toEqual({ wer: 0 });
    // One word too many, of one that was to be said.
    const shorter = { ...told, item: { ...item, text: 'One.' } };
    expect(await guard.measure(shorter)).toEqual({ wer: 1 });
  });

  it('measure no word errors where nothing was to be said: their number would count as a share', async () => {
    const guard = wordGuard(async () => 'one two three', codec);
    const wordless = { ...sampleOf(tone(4)), item: { ...item, text: '...' } };
    await expect(guard.measure(wordless)).rejects.toThrow(UnscorableSample);
  });
});
