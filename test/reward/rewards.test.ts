import { describe, expect, it } from 'vitest';
import { countEvenTokens, evenTokenReward } from '../../lib/reward/even-token.js';
import { lengthReward, scoreLength } from '../../lib/reward/length.js';
import type { Reward, Sample } from '../../lib/reward/reward.js';

function sampleOf(codes: number[]): Sample {
  return {
    item: { src_encodec: [[1]], instruction: 'Make it faster.', tgt_encodec: [[1]] },
    codes,
    audio: () => Promise.reject(new Error('a token reward must not make audio')),
  };
}

async function scoreOf(reward: Reward, codes: number[]) {
  const [score] = await reward.score([sampleOf(codes)]);
  return 'reward' in score ? score : { reward: null };
}

describe('even-token', () => {
  it('scores the share of even codes times 5', async () => {
    expect((await scoreOf(evenTokenReward, [2, 4, 7, 0])).reward).toBe(3.75);
    expect((await scoreOf(evenTokenReward, [1, 3])).reward).toBe(0);
    expect((await scoreOf(evenTokenReward, [254])).reward).toBe(5);
  });

  it('counts percent as a share and total', async () => {
    expect(countEvenTokens([0, 1, 2, 3, 4])).toEqual({ percent: 0.6, total: 3 });
    expect(await scoreOf(evenTokenReward, [0, 1, 2, 3, 4])).toMatchObject({
      details: { even_percents: 0.6, even_totals: 3 },
    });
  });

  it('cannot score an empty completion', async () => {
    expect((await scoreOf(evenTokenReward, [])).reward).toBeNull();
  });

  it('ranks by its score', async () => {
    expect(await scoreOf(evenTokenReward, [1])).not.toHaveProperty('rank');
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
    expect((await scoreOf(lengthReward, new Array<number>(tokens).fill(3))).reward).toBeCloseTo(score, 12);
  });

  it('ranks the shorter one higher even where the score is flat', async () => {
    const shorter = await scoreOf(lengthReward, [1, 2]);
    const longer = await scoreOf(lengthReward, [1, 2, 3]);
    expect([shorter.reward, longer.reward]).toEqual([5, 5]);
    expect('rank' in shorter && shorter.rank).toBeGreaterThan(('rank' in longer && longer.rank) as number);
  });

  it('keeps the length beside the reward', async () => {
    expect(await scoreOf(lengthReward, [5, 6, 7])).toMatchObject({ details: { lengths: 3 } });
  });

  it('cannot score an empty completion', async () => {
    expect((await scoreOf(lengthReward, [])).reward).toBeNull();
  });
});
