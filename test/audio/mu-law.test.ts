import fc from 'fast-check';
import { expect, it } from 'vitest';
import wavefile from 'wavefile';
import { encodeMuLawWav } from '../../lib/audio/mu-law.js';
import { parseWav } from '../../lib/audio/wav.js';

it('codes every 16-bit sample as the wavefile package does', () => {
  const samples = Float32Array.from({ length: 65536 }, (_, i) => (i - 32768) / 32768);
  const own = parseWav(encodeMuLawWav(samples, 8000), 'own').channels[0];
  const file = new wavefile.WaveFile();
  file.fromScratch(
    1,
    8000,
    '16',
    Int16Array.from(samples, (value) => value * 32768),
  );
  file.toMuLaw();
  const theirs = parseWav(file.toBuffer(), 'theirs').channels[0];
  // Codes of two values that a sample is as far from may differ.
  const error = (coded: Float32Array, i: number) => Math.abs(coded[i] - samples[i]);
  for (let i = 0; i < samples.length; i++) {
    if (error(own, i) > error(theirs, i) + 1e-9)
      expect.fail(`sample ${samples[i]}: ${own[i]} for ${theirs[i]}`);
  }
});

it('is a WAV file of as many samples, some 38 dB above its noise', () => {
  fc.assert(
    fc.property(fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { maxLength: 50 }), (values) => {
      const file = encodeMuLawWav(Float32Array.from(values), 16000);
      expect(file.length % 2, 'parts of a WAV file are filled up to an even number').toBe(0);
      const recording = parseWav(file, 'own');
      expect(recording.sampleRateHz).toBe(16000);
      expect(recording.channels[0]).toHaveLength(values.length);
      const told = new wavefile.WaveFile(file).fact as { dwSampleLength: number };
      expect(told.dwSampleLength).toBe(values.length);
      recording.channels[0].forEach((value, i) => {
        expect(Math.abs(value - values[i])).toBeLessThanOrEqual(Math.abs(values[i]) / 16 + 1 / 1000);
      });
    }),
  );
});

it('clips what is too loud and makes silence of what is no number', () => {
  const coded = parseWav(encodeMuLawWav(Float32Array.of(2, -Infinity, NaN), 16000), 'own').channels[0];
  expect(Array.from(coded, (value) => value.toFixed(2))).toEqual(['0.98', '-0.98', '0.00']);
});
