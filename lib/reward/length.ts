import { rewardOf } from './reward.js';

/** Piecewise linear score of a completion's length in tokens: 5 below 10 tokens, falling to 1 at 300, then 0. */
export function scoreLength(tokens: number): number {
  if (tokens < 10) return 5;
  if (tokens < 50) return 4 + (50 - tokens) / 40;
  if (tokens < 100) return 3 + (100 - tokens) / 50;
  if (tokens < 200) return 2 + (200 - tokens) / 100;
  if (tokens < 300) return 1 + (300 - tokens) / 100;
  return 0;
}

/** Shorter is better. Pairs are ranked by the length itself, which still tells samples apart where the score is flat. */
export const lengthReward = rewardOf(
  'length',
  'shortness (0 to 5)',
  ({ codes: { length } }) =>
    length === 0 ? null : { reward: scoreLength(length), rank: -length, details: { lengths: length } },
  { listens: false },
);
