/** Bytes of sound that one page carries inside itself. */
export interface SoundBudget {
  /** Sounds of no more bytes in all go in as they are. */
  asTheyAre: number;
  /** Otherwise they go in as 8-bit mu-law, half the size, as long as those have no more bytes in all. */
  compressed: number;
}

/** Every sound as it is, whatever its size. */
export const NO_LIMIT: SoundBudget = { asTheyAre: Infinity, compressed: Infinity };

export type SoundForm = 'as it is' | 'mu-law' | 'left out';

/**
 * In which form each group of sounds goes into a page. Sounds that are in it are all of one form, so that none sounds worse than its
 * neighbour for the page's sake; a group, the sounds that one compares, is in it as a whole or not at all, the first groups first.
 *
 * @param groupBytes bytes of each group's WAV files of 16 bits
 */
export function planSounds(groupBytes: readonly number[], budget: SoundBudget): SoundForm[] {
  const total = groupBytes.reduce((sum, bytes) => sum + bytes, 0);
  if (total <= budget.asTheyAre) return groupBytes.map(() => 'as it is');
  let compressed = 0;
  return groupBytes.map((bytes) => {
    compressed += bytes / 2;
    return compressed <= budget.compressed ? 'mu-law' : 'left out';
  });
}
