/** Seeded randomness: the same key gives the same numbers on every machine, whatever else was drawn before. */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Uniform numbers in [0, 1). */
export type Uniform = () => number;

/** A stream of uniform numbers of its own for each key, such as (seed, prompt, sample). Keys are integers. */
export function uniformStream(...key: number[]): Uniform {
  const generator = xoroshiro128plus(hash(key));
  return () => uniformFloat64(generator);
}

/** A shuffled copy (Fisher and Yates) that depends on the key alone. */
export function shuffled<T>(items: readonly T[], ...key: number[]): T[] {
  const uniform = uniformStream(...key);
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}

/** 32-bit hash of integers (MurmurHash3's mixing), so that neighbouring keys give unrelated streams. */
export function hash(key: readonly number[]): number {
  let h = 0x9747b28c;
  for (const part of key) {
    let k = Math.imul(part | 0, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h = Math.imul(((h ^ k) << 13) | ((h ^ k) >>> 19), 5) + 0xe6546b64;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}
