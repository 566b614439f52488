import { describe, expect, it } from 'vitest';
import { countEvenTokens, evenTokenReward } from '../../lib/reward/even-token.js';
import { lengthReward, scoreLength } from '../../lib/reward/length.js';
import type { Sample } from '../../lib/reward/reward.js';

function sampleOf(codes: number[]): Sample {
  return {
    item: { src_encodec: [[1]], instruction: 'Make it faster.', tgt_encodec: [[1]] },
    codes,
    audio: () => Promise.reject(new Error('a token reward must not make audio')),
  };
}

describe('even-token', () => {
  it('scores the share of even codes times 5', async () => {
    expect(await evenTokenReward.score(sampleOf([2, 4, 7, 0]))).toBe(3.75);
    expect(await evenTokenReward.score(sampleOf([1, 3]))).toBe(0);
    expect(await evenTokenReward.score(sampleOf([254]))).toBe(5);
  });

  it('counts percent as a share and total', () => {
    expect(countEvenTokens([0, 1, 2, 3, 4])).toEqual({ percent: 0.6, total: 3 });
    expect(evenTokenReward.details?.(sampleOf([0, 1, 2, 3, 4]))).toEqual({
      even_percents: 0.6,
      even_totals: 3,
    });
  });

  it('cannot score an empty completion', async () => {
    expect(await evenTokenReward.score(sampleOf([]))).toBeNull();
  });

  it('ranks by its score', () => {
    expect(evenTokenReward.rank).toBeUndefined();
  });
});

describe('length', () => {
  it.each([
    [1, 5],
    [9, 5],
    [10, 5],
    [11, 4.975],
    [30, 4.5],
    [49, 4.025],
    [50, 4],
    [75, 3.5],
    [99, 3.02],
    [100, 3],
    [150, 2.5],
    [199, 2.01],
    [200, 2],
    [250, 1.5],
    [299, 1.01],
    [300, 0],
    [1000, 0],
  ])('scores %i tokens as %d', async (tokens, score) => {
    expect(scoreLength(tokens)).toBeCloseTo(score, 12);
    expect(await lengthReward.score(sampleOf(new Array<number>(tokens).fill(3)))).toBeCloseTo(score, 12);
  });

  it('ranks the shorter one higher even where the score is flat', () => {
    const shorter = lengthReward.rank?.(sampleOf([1, 2]), 5);
    const longer = lengthReward.rank?.(sampleOf([1, 2, 3]), 5);
    expect(shorter).toBeGreaterThan(longer as number);
  });

  it('keeps the length beside the reward', () => {
    expect(lengthReward.details?.(sampleOf([5, 6, 7]))).toEqual({ lengths: 3 });
  });

  it('cannot score an empty completion', async () => {
    expect(await lengthReward.score(sampleOf([]))).toBeNull();
  });
});
