import { rewardOf } from './reward.js';

/** Counts of even codes in a completion: `percent` is a share from 0 to 1 (the research code's name for it), `total` a count. */
export function countEvenTokens(codes: readonly number[]): { percent: number; total: number } {
  const total = codes.filter((code) => code % 2 === 0).length;
  return { percent: total / codes.length, total };
}

/** Share of even codes in codebook 0, times 5. A toy reward whose best value (5) and chance value (2.5) are known. */
export const evenTokenReward = rewardOf(
  'even-token',
  'even tokens (0 to 5)',
  ({ codes }) => {
    if (codes.length === 0) return null;
    const { percent, total } = countEvenTokens(codes);
    return { reward: percent * 5, details: { even_percents: percent, even_totals: total } };
  },
  { listens: false },
);
