import { describe, expect, it } from 'vitest';
import { amplify, applyEffect, EFFECTS, shiftPitch, type Effect } from '../../lib/audio/effects.js';
import { stretchTime } from '../../lib/audio/time-stretch.js';
import { editFidelity, type Fidelity } from '../../lib/scoring/fidelity.js';

const RATE_HZ = 16000;

/** A voice-like sound: harmonics of an F0 that moves around 150 Hz, in two bursts. */
function makeVoice(seconds: number, rateHz = RATE_HZ): Float32Array {
  let phase = 0;
  return Float32Array.from({ length: seconds * rateHz }, (_, i) => {
    const time = i / rateHz;
    phase += (2 * Math.PI * (150 + 8 * Math.sin(4 * time))) / rateHz;
    const harmonics = [1, 2, 3, 4, 5].reduce((sum, k) => sum + Math.sin(k * phase) / k, 0);
    return 0.1 * harmonics * Math.sin((Math.PI * time) / seconds) ** 0.5;
  });
}

const voice = makeVoice(1);
const noise = (): Float32Array => {
  let state = 1;
  return voice.map(() => {
    state = (state * 48271) % 0x7fffffff;
    return 0.2 * (state / 0x7fffffff - 0.5);
  });
};

describe('editFidelity', () => {
  it.each(EFFECTS)('%s: the exact edit scores 1 throughout', (effect) => {
    const target = applyEffect(effect, voice, RATE_HZ);
    expect(editFidelity(voice, target, target.slice(), RATE_HZ)).toEqual({
      duration: 1,
      level: 1,
      pitch: 1,
      share: 1,
    });
  });

  const changed: Partial<Record<Effect, keyof Fidelity>> = {
    faster: 'duration',
    slower: 'duration',
    higher: 'pitch',
    lower: 'pitch',
    louder: 'level',
    quieter: 'level',
  };
  it.each(Object.entries(changed) as [Effect, keyof Fidelity][])(
    '%s ignored: %s scores 0, the others stay high',
    (effect, property) => {
      const scores = editFidelity(voice, applyEffect(effect, voice, RATE_HZ), voice, RATE_HZ);
      for (const other of ['duration', 'level', 'pitch'] as const) {
        if (other === property) expect(scores[other]).toBe(0);
        else expect(scores[other]).toBeGreaterThan(0.8);
      }
      expect(scores.share).toBeCloseTo((scores.duration + scores.level + scores.pitch) / 3, 12);
    },
  );

  it('falls in proportion to the distance from a target that asks for more than the tolerance', () => {
    const target = amplify(voice, -8);
    expect(editFidelity(voice, target, amplify(voice, -6), RATE_HZ).level).toBeCloseTo(0.75, 5);
    expect(editFidelity(voice, target, amplify(voice, -10), RATE_HZ).level).toBeCloseTo(0.75, 5);
    expect(editFidelity(voice, target, amplify(voice, 8), RATE_HZ).level).toBe(0);
  });

  it('allows 20 %, 4 dB and 3 semitones where nothing is asked for', () => {
    const keep = (made: Float32Array) => editFidelity(voice, voice, made, RATE_HZ);
    expect(keep(voice.subarray(0, voice.length / Math.sqrt(1.2))).duration).toBeCloseTo(0.5, 3);
    expect(keep(voice.subarray(0, voice.length / 1.21)).duration).toBe(0);
    expect(keep(amplify(voice, -2)).level).toBeCloseTo(0.5, 5);
    expect(keep(amplify(voice, 4.1)).level).toBe(0);
    expect(keep(shiftPitch(voice, 2 ** (1.5 / 12), RATE_HZ)).pitch).toBeCloseTo(0.5, 1);
    expect(keep(shiftPitch(voice, 2 ** (3.3 / 12), RATE_HZ)).pitch).toBe(0);
  });

  it('gives silence no credit, and compares silence with silence', () => {
    const silence = new Float32Array(voice.length);
    expect(editFidelity(voice, amplify(voice, -8), silence, RATE_HZ)).toMatchObject({ level: 0, pitch: 0 });
    expect(editFidelity(voice, silence, silence, RATE_HZ).share).toBe(1);
    expect(editFidelity(silence, voice, voice, RATE_HZ).share).toBe(1);
    // Silence is at -100 dB.
    const hum = (decibels: number) => new Float32Array(RATE_HZ).fill(10 ** (decibels / 20));
    expect(editFidelity(silence, silence, hum(-98), RATE_HZ).level).toBeCloseTo(0.5, 5);
    expect(editFidelity(silence, silence, hum(-110), RATE_HZ).level).toBe(1);
    expect(editFidelity(voice, voice, new Float32Array(0), RATE_HZ).share).toBe(0);
  });

  it('takes voicing that comes or goes as lost pitch', () => {
    expect(editFidelity(voice, voice, noise(), RATE_HZ).pitch).toBe(0);
    expect(editFidelity(noise(), noise(), voice, RATE_HZ).pitch).toBe(0);
    expect(editFidelity(noise(), noise(), noise(), RATE_HZ).pitch).toBe(1);
    // A source without pitch asks for no change of it.
    const higher = shiftPitch(voice, 2 ** (1.5 / 12), RATE_HZ);
    expect(editFidelity(noise(), voice, higher, RATE_HZ).pitch).toBeCloseTo(0.5, 1);
  });

  it('measures pitch in Hz at any sample rate', () => {
    const rateHz = 24000;
    const source = makeVoice(1, rateHz);
    const target = stretchTime(shiftPitch(source, 2 ** (4 / 12), rateHz), 1.1, rateHz);
    expect(editFidelity(source, target, source, rateHz)).toMatchObject({ pitch: 0 });
    expect(editFidelity(source, target, target, rateHz).share).toBe(1);
  });

  it('names an empty source or target', () => {
    const empty = new Float32Array(0);
    expect(() => editFidelity(empty, voice, voice, RATE_HZ)).toThrow('the source of the edit');
    expect(() => editFidelity(voice, empty, voice, RATE_HZ)).toThrow('the target of the edit');
  });
});
