import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gatedLoudness, matchLoudness, TARGET_LUFS } from '../../lib/audio/loudness.js';
import type { MonoRecording } from '../../lib/audio/wav.js';

interface Golden {
  rate: number;
  seconds: number;
  tones: [number, number][];
  gate: number;
  /** Of pyloudnorm; null: -Infinity. */
  lufs: number | null;
}

const golden = (
  JSON.parse(readFileSync('test/fixtures/listening/golden.json', 'utf8')) as { loudness: Golden[] }
).loudness;

function signalOf({ rate, seconds, tones, gate }: Golden): MonoRecording {
  const samples = Float32Array.from({ length: Math.round(rate * seconds) }, (_, i) => {
    const t = i / rate;
    const sound = tones.reduce((sum, [hz, amplitude]) => sum + amplitude * Math.sin(2 * Math.PI * hz * t), 0);
    return (Math.floor(2 * t) % 2 === 1 ? gate : 1) * sound;
  });
  return { samples, sampleRateHz: rate };
}

const tone = (seconds: number, amplitude: number, sampleRateHz = 16000): MonoRecording => ({
  samples: Float32Array.from(
    { length: seconds * sampleRateHz },
    (_, i) => amplitude * Math.sin((2 * Math.PI * 997 * i) / sampleRateHz),
  ),
  sampleRateHz,
});
const peakOf = ({ samples }: MonoRecording) => samples.reduce((peak, x) => Math.max(peak, Math.abs(x)), 0);

describe('gated loudness', () => {
  it.each(golden)("is pyloudnorm's: $rate Hz, $tones, $lufs LUFS", (each) => {
    const loudness = gatedLoudness(signalOf(each));
    if (each.lufs === null) expect(loudness).toBe(-Infinity);
    else expect(Math.abs(loudness - each.lufs)).toBeLessThan(1e-6);
  });

  it("of a full-scale tone is the recommendation's -3.01 LUFS", () => {
    expect(gatedLoudness(tone(4, 1, 48000))).toBeCloseTo(-3.01, 2);
  });

  it.each([
    [9.5, 10 * Math.log10((1 + 0.05944) / 2)],
    // Of the 40 blocks with sound of the first half three have sound of the second too.
    [10.5, 10 * Math.log10((37 + 1.5 * (1 + 0.04664)) / 40)],
  ])('counts what is less than 10 LU below the mean of all: %d LU', (below, decibels) => {
    // Half of the sound has the power g, and the mean is (1 + g) / 2: it is so far below where g is 10^(-below / 10) (1 + g) / 2.
    const share = 10 ** (-below / 10) / 2;
    const faint = Math.sqrt(share / (1 - share));
    const sound = tone(8, 1, 48000);
    for (let i = 4 * 48000; i < sound.samples.length; i++) sound.samples[i] *= faint;
    expect(gatedLoudness(sound)).toBeCloseTo(-3.01 + decibels, 1);
  });

  it('is that of all of a recording that is shorter than a block', () => {
    expect(gatedLoudness(tone(0.3, 0.5))).toBeCloseTo(gatedLoudness(tone(2, 0.5)), 1);
    expect(gatedLoudness({ samples: new Float32Array(0), sampleRateHz: 16000 })).toBe(-Infinity);
    expect(gatedLoudness({ samples: new Float32Array(100), sampleRateHz: 16000 })).toBe(-Infinity);
  });
});

describe('matching of loudness', () => {
  it('makes a faint, a loud and a short recording equally loud', () => {
    const { recordings, lufs } = matchLoudness([tone(1, 0.003), tone(2, 1), tone(0.2, 0.1)]);
    expect(lufs).toBe(TARGET_LUFS);
    for (const recording of recordings)
      expect(Math.abs(gatedLoudness(recording) - TARGET_LUFS)).toBeLessThan(1e-4);
  });

  it('stays as far below as peaks need, and never clips', () => {
    const click = tone(2, 0.01);
    click.samples[16000] = 0.9;
    const { recordings, lufs } = matchLoudness([click, tone(2, 0.2)]);
    expect(lufs).toBeLessThan(TARGET_LUFS - 5);
    expect(peakOf(recordings[0])).toBeCloseTo(10 ** (-1 / 20), 5);
    const inverted = { ...click, samples: click.samples.map((sample) => -sample) };
    expect(peakOf(matchLoudness([inverted]).recordings[0])).toBeCloseTo(10 ** (-1 / 20), 5);
    for (const recording of recordings) expect(Math.abs(gatedLoudness(recording) - lufs)).toBeLessThan(1e-4);
  });

  it('leaves silence alone', () => {
    const silence = { samples: new Float32Array(16000).fill(1e-5), sampleRateHz: 16000 };
    const { recordings, lufs } = matchLoudness([silence, tone(1, 0.5)]);
    expect(recordings[0]).toEqual(silence);
    expect(lufs).toBe(TARGET_LUFS);
    expect(gatedLoudness(recordings[1])).toBeCloseTo(TARGET_LUFS, 4);
  });

  it('counts the faint parts of a faint recording as it counts those of a loud one', () => {
    const parts = signalOf({ rate: 16000, seconds: 4, tones: [[997, 0.0006]], gate: 0.4, lufs: null });
    const { recordings } = matchLoudness([parts, tone(1, 0.5)]);
    expect(gatedLoudness(recordings[0])).toBeCloseTo(TARGET_LUFS, 4);
  });
});
