import { rewardOf } from './reward.js';

/** Codes of an n-gram. */
const N = 4;

/**
 * Share of a completion's 4-grams of codes that are distinct, from 1 (no four codes in a row come again) to nearly 0 (one code again and
 * again). It is 1 - seq-rep-4 of Welleck et al., "Neural Text Generation with Unlikelihood Training", ICLR 2020 (arXiv 1908.04319).
 *
 * @returns null for fewer than four codes
 */
export function distinctShare(codes: readonly number[]): number | null {
  const count = codes.length - N + 1;
  if (count < 1) return null;
  const distinct = new Set(Array.from({ length: count }, (_, i) => codes.slice(i, i + N).join()));
  return distinct.size / count;
}

/** How little a completion repeats itself; see {@link distinctShare}. */
export const repetitionReward = rewardOf(
  'repetition',
  'distinct 4-grams of codes (0 to 1)',
  ({ codes }) => distinctShare(codes) ?? { dropped: `it has fewer than ${N} codes` },
  { listens: false },
);
