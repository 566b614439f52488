import { sumOf } from '../mean.js';

/** Bytes of sound that one page carries inside itself. */
export interface SoundBudget {
  /** Sounds of no more bytes in all go in as they are. */
  asTheyAre: number;
  /** Otherwise they go in as 8-bit mu-law, half the size, as long as those have no more bytes in all. */
  compressed: number;
}

/** Every sound as it is, whatever its size. */
export const NO_LIMIT: SoundBudget = { asTheyAre: Infinity, compressed: Infinity };

/** Of a page: 13 minutes at 16 kHz as they are, 26 in 8 bits. Browsers open it at once. */
export const PAGE_BUDGET: SoundBudget = { asTheyAre: 24 * 2 ** 20, compressed: 24 * 2 ** 20 };

export type SoundForm = 'as it is' | 'mu-law' | 'left out';

/**
 * Decides in which form a page carries each group of sounds. All sounds inside a page have one form, so that none sounds worse than its
 * neighbour only to save room. A group holds sounds that one compares: the page carries all of it or nothing of it, and the first groups
 * come first.
 *
 * @param groupBytes bytes of each group's WAV files of 16 bits
 */
export function planSounds(groupBytes: readonly number[], budget: SoundBudget): SoundForm[] {
  const total = sumOf(groupBytes);
  if (total <= budget.asTheyAre) return groupBytes.map(() => 'as it is');
  let compressed = 0;
  return groupBytes.map((bytes) => {
    compressed += bytes / 2;
    return compressed <= budget.compressed ? 'mu-law' : 'left out';
  });
}
