import type { MonoRecording } from '../audio/wav.js';

const RATE_HZ = 16_000;
const PITCH_HZ = 140;
const SYLLABLES = 4;

/** What is said in it, for rewards that compare with a text. Nobody speaks in it. */
export const TEST_TEXT = 'This is a test.';

/**
 * A second of sound, the same every time, by which a reward checks itself: ten harmonics of a low voice's pitch that swell four times, loud
 * enough for every scorer.
 */
export function testSound(): MonoRecording {
  const samples = Float32Array.from({ length: RATE_HZ }, (_, i) => {
    const seconds = i / RATE_HZ;
    let sum = 0;
    for (let k = 1; k <= 10; k++) sum += Math.sin(2 * Math.PI * k * PITCH_HZ * seconds) / k;
    return 0.25 * sum * Math.sin(Math.PI * SYLLABLES * seconds) ** 2;
  });
  return { samples, sampleRateHz: RATE_HZ };
}
