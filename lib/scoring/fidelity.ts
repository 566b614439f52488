import { requireFinite } from '../audio/finite.js';
import { measureMedianF0Hz } from '../audio/f0.js';
import { measureLevelDb } from './silence.js';

/** How well an edit does what its target does, each 0 to 1. */
export interface Fidelity {
  duration: number;
  level: number;
  pitch: number;
  /** The mean of the three. */
  share: number;
}

/** Where next to nothing is asked for, a deviation of this size scores 0. Each is less than the smallest change of `EFFECTS`. */
const TOLERANCES = {
  /** Octaves of duration: 20 %. */
  duration: Math.log2(1.2),
  /** Decibels. */
  level: 4,
  /** Octaves of F0: three semitones. */
  pitch: 3 / 12,
};

/** Levels below this count as this: digital silence is as far from speech as near silence. */
const LOWEST_LEVEL_DB = -100;

/**
 * Compares what an edit made of its source with what the target made of it, in duration (octaves), level (decibels of the root mean
 * square) and pitch (octaves of the median F0). With c the change from source to target and d the distance from target to made,
 * each scores max(0, 1 - |d| / max(|c|, tolerance)): 1 if made equals the target, 0 if it ignores an edit that asks for a change of
 * at least the tolerance, and 0 if it changes by the tolerance what should have stayed. Tolerances: 20 %, 4 dB, 3 semitones.
 *
 * Levels below -100 dB count as -100 dB. Without a voiced frame in both target and made, pitch scores 1; in only one of them, 0.
 * An edit that made nothing scores 0 throughout.
 *
 * @throws Error when source or target holds no samples, or any of the three a sample that is not a finite number
 */
export function editFidelity(
  source: Float32Array,
  target: Float32Array,
  made: Float32Array,
  sampleRateHz: number,
): Fidelity {
  if (source.length === 0) throw new Error('the source of the edit holds no samples');
  if (target.length === 0) throw new Error('the target of the edit holds no samples');
  if (made.length === 0) return { duration: 0, level: 0, pitch: 0, share: 0 };
  const [ofSource, ofTarget, ofMade] = [source, target, made].map((samples) =>
    measureTraits(samples, sampleRateHz),
  );
  return compareTraits(ofSource, ofTarget, ofMade);
}

/** What an edit changes of a recording, in the units that changes are compared in. */
export interface Traits {
  /** log2 of the number of samples. */
  duration: number;
  /** Decibels of the root mean square, at least -100. */
  level: number;
  /** log2 of the median F0 in Hz; NaN where no frame is voiced. */
  pitch: number;
}

/**
 * The traits of a recording with at least one sample. Where many edits have one target, its traits need measuring only once.
 *
 * @throws Error when a sample is not a finite number
 */
export function measureTraits(samples: Float32Array, sampleRateHz: number): Traits {
  requireFinite(samples);
  return {
    duration: Math.log2(samples.length),
    level: Math.max(LOWEST_LEVEL_DB, measureLevelDb(samples)),
    pitch: Math.log2(measureMedianF0Hz(samples, sampleRateHz) ?? NaN),
  };
}

/** `editFidelity` of recordings whose traits are known. */
export function compareTraits(source: Traits, target: Traits, made: Traits): Fidelity {
  const compare = (trait: keyof Traits): number =>
    agreement(source[trait], target[trait], made[trait], TOLERANCES[trait]);
  const [duration, level, pitch] = [compare('duration'), compare('level'), compare('pitch')];
  return { duration, level, pitch, share: (duration + level + pitch) / 3 };
}

/** Linear fall from 1 at the target to 0 at the distance asked for; NaN stands for "has none". */
function agreement(source: number, target: number, made: number, tolerance: number): number {
  if (Number.isNaN(target) || Number.isNaN(made)) return Number.isNaN(target) && Number.isNaN(made) ? 1 : 0;
  const asked = Number.isNaN(source) ? 0 : Math.abs(target - source);
  return Math.max(0, 1 - Math.abs(made - target) / Math.max(asked, tolerance));
}
