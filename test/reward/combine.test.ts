/** Combinations against closed forms. */
import { describe, expect, it } from 'vitest';
import { choosePair } from '../../lib/dpo/pairs.js';
import { rankPrompts } from '../../lib/experiment/rank-prompts.js';
import type { RewardedCompletion, ScoredCompletion } from '../../lib/experiment/scored-completion.js';
import { askReward } from '../../lib/reward/ask.js';
import { harmonicMean, lexicographicRanks, zScores } from '../../lib/reward/combination.js';
import { combinationOf, harmonic, lexicographic, weighted } from '../../lib/reward/combine.js';
import { evenTokenReward } from '../../lib/reward/even-token.js';
import { lengthReward } from '../../lib/reward/length.js';
import { rewardOf, type Reward, type Sample, type Score } from '../../lib/reward/reward.js';
import { ScorerFault } from '../../lib/scoring/unscorable.js';

const item = { src_encodec: [[1]], instruction: '', tgt_encodec: [[1]] };
const sampleOf = (...codes: number[]): Sample => ({
  item,
  codes,
  audio: () => Promise.reject(new Error('nobody listens')),
});

/** The code in a place. */
const codeAt = (name: string, place: number): Reward =>
  rewardOf(name, `code ${place}`, ({ codes }) => codes[place] ?? null, { listens: false });
const [first, second] = [codeAt('first', 0), codeAt('second', 1)];

const rewardsOf = (scores: readonly Score[]) =>
  scores.map((score) => ('dropped' in score ? score.dropped : score.reward));

/** As a run keeps them; the ranks are those of the whole prompt. */
async function rank(reward: Reward, samples: Sample[]): Promise<(number | null)[]> {
  const scores = await askReward(reward, samples);
  const scored = scores.map((score, i): ScoredCompletion => {
    const written = { codes: samples[i].codes, finished: true };
    if ('dropped' in score)
      return { ...written, reward: null, rank: null, details: {}, figures: {}, dropped: score.dropped };
    const { rank = score.reward, details = {} } = score;
    return { ...written, reward: score.reward, rank, details, figures: {} } satisfies RewardedCompletion;
  });
  return rankPrompts(reward, [scored])[0].map((each) => each.rank);
}

it('a weighted sum', async () => {
  const reward = weighted([first, second], { weights: [2, -0.5] });
  expect(reward).toMatchObject({ name: 'first+second', label: '2 first + -0.5 second', listens: false });
  const samples = [sampleOf(1, 4), sampleOf(3, 2), sampleOf(7)];
  const scores = await askReward(reward, samples);
  expect(scores[0]).toEqual({ reward: 0, details: { first: 1, second: 4 } });
  expect(rewardsOf(scores)).toEqual([0, 5, 'second: the reward gives it no score']);
  expect(await rank(reward, samples)).toEqual([0, 5, null]);
});

it('a harmonic mean: n / sum of 1/x, and with weights sum of w / sum of w/x', async () => {
  const samples = [sampleOf(1, 3), sampleOf(2, 2), sampleOf(0, 9)];
  expect(rewardsOf(await askReward(harmonic([first, second]), samples))).toEqual([1.5, 2, 0]);
  const [score] = await askReward(harmonic([first, second], { weights: [3, 1] }), samples);
  expect(score).toMatchObject({ reward: 4 / (3 / 1 + 1 / 3) });
  expect(harmonicMean([0, 2], [0, 1])).toBe(2);
  await expect(askReward(harmonic([first, second]), [sampleOf(1, -2)])).rejects.toThrow(
    'a harmonic mean is of rewards from 0 on, and second is -2: normalize them, or take a weighted sum',
  );
  expect(rewardsOf(await askReward(harmonic([first, second]), [sampleOf(-0, 0)]))).toEqual([0]);
});

it('counts a combination that ranks a prompt together by these ranks in a lexicographic order', async () => {
  const third = codeAt('third', 2);
  const samples = [sampleOf(1, 1, 5), sampleOf(1, 2, 4), sampleOf(0, 9, 9)];
  expect(await rank(lexicographic([lexicographic([first, second]), third]), samples)).toEqual([1, 2, 0]);
  // By z-scores the second sample is the best of the first two rewards, by their sum the first.
  const normalized = weighted([first, second], { normalize: true });
  const unlike = [sampleOf(100, 0, 0), sampleOf(90, 1, 0), sampleOf(0, 0.9, 0)];
  expect(await rank(lexicographic([normalized, third]), unlike)).toEqual([1, 2, 0]);
});

it('the lexicographic order, with the ranks that rewards give, and steps within which values are equal', async () => {
  const samples = [sampleOf(1, 9), sampleOf(2, 1), sampleOf(2, 3), sampleOf(2, 3), sampleOf(3, 0)];
  expect(await rank(lexicographic([first, second]), samples)).toEqual([0, 1, 2, 2, 3]);
  expect(await rank(lexicographic([second, first]), samples)).toEqual([3, 1, 2, 2, 0]);
  expect(lexicographicRanks([[3.21, 3.24, 3.9], [5, 1, 0]], [0.1, 0])).toEqual([1, 0, 2]); // prettier-ignore
  // To the nearest multiple: 3.18 counts as 3.2, 3.27 as 3.3.
  expect(lexicographicRanks([[3.18, 3.24, 3.27], [5, 1, 0]], [0.1, 0])).toEqual([1, 0, 2]); // prettier-ignore
  // Both score 5 for shortness; the shorter one ranks higher.
  const shortest = lexicographic([lengthReward, evenTokenReward]);
  const [score] = await askReward(shortest, [sampleOf(1, 2)]);
  expect(score).toEqual({
    reward: 5,
    details: {
      ...{ length: 5, length_rank: -2, length_lengths: 2 },
      ...{ 'even-token': 2.5, 'even-token_even_percents': 0.5, 'even-token_even_totals': 1 },
    },
  });
  expect(await rank(shortest, [sampleOf(1, 2, 3), sampleOf(1), sampleOf(3)])).toEqual([0, 1, 1]);
});

it('z-scores among a prompt’s samples, as scipy.stats.zscore; 0 where nothing tells samples apart', async () => {
  // scipy.stats.zscore([1, 2, 3, 10])
  const expected = [-0.8485281374238569, -0.565685424949238, -0.282842712474619, 1.6970562748477143];
  for (const [i, z] of zScores([1, 2, 3, 10]).entries()) expect(z).toBeCloseTo(expected[i], 14);
  expect(zScores([0.1, 0.1, 0.1])).toEqual([0, 0, 0]);

  // 1, 2, 3 have std sqrt(2/3); 100, 300, 200 the same z-scores in another order.
  const samples = [sampleOf(1, 100), sampleOf(2, 300), sampleOf(3, 200), sampleOf(5)];
  const z = Math.sqrt(3 / 2);
  const sums = await rank(weighted([first, second], { weights: [2, 1], normalize: true }), samples);
  for (const [i, sum] of [-3 * z, z, 2 * z].entries()) expect(sums[i]).toBeCloseTo(sum, 14);
  expect(sums[3]).toBeNull();
  const logistic = (x: number) => 1 / (1 + Math.exp(-x));
  const means = await rank(harmonic([first, second], { normalize: true }), samples);
  const [low, middle, high] = [logistic(-z), 0.5, logistic(z)];
  for (const [i, [a, b]] of [
    [low, low],
    [middle, high],
    [high, middle],
  ].entries())
    // prettier-ignore
    expect(means[i]).toBeCloseTo(2 / (1 / a + 1 / b), 14);
  // Between prompts and checkpoints nothing is normalized.
  expect(rewardsOf(await askReward(harmonic([first, second], { normalize: true }), [sampleOf(1, -3)]))).toEqual([-1]); // prettier-ignore
  // The first two are less than a standard deviation apart.
  const steps = lexicographic([first, second], { steps: [2, 0], normalize: true });
  expect(await rank(steps, [sampleOf(1, 8), sampleOf(2, 7), sampleOf(30, 0)])).toEqual([1, 0, 2]);
});

it('pairs what the sum of z-scores ranks best and worst, though the larger unit would say otherwise', async () => {
  const samples = [sampleOf(0, 1000), sampleOf(10, 990), sampleOf(5, 900)];
  const pairOf = async (normalize: boolean) => {
    const reward = weighted([first, second], { weights: [3, 1], normalize });
    const ranks = await rank(reward, samples);
    const choice = choosePair(ranks.map((each, i) => ({ reward: each, rank: each, i })));
    return 'skipped' in choice ? undefined : [choice.chosen.i, choice.rejected.i];
  };
  expect(await pairOf(false)).toEqual([1, 2]);
  expect(await pairOf(true)).toEqual([1, 0]);
});

it.each<[() => Reward, string]>([
  [() => weighted([first]), 'a combination is of two rewards or more'],
  [() => weighted([first, second, first]), 'two of the rewards are called first'],
  [() => weighted([first, second], { weights: [1] }), 'there are 1 weights for 2 rewards'],
  [() => weighted([first, second], { weights: [0, 0] }), 'all weights are 0'],
  [() => weighted([first, second], { weights: [NaN, 0] }), 'the weights NaN, 0 are not numbers'],
  [() => harmonic([first, second], { weights: [2, -1] }), 'a harmonic mean are from 0 on, not 2, -1'],
  [
    () => lexicographic([first, second], { steps: [0, Infinity] }),
    'the steps 0, Infinity are not numbers from 0 on',
  ],
  [() => lexicographic([first, second], { steps: [-1, 0] }), 'the steps -1, 0 are not numbers from 0 on'],
])('refuses a combination that is none, %#', (make, message) => {
  expect(make).toThrow(message);
});

it('keeps what it is made of, listens where a part does, and checks every part', async () => {
  const checked: string[] = [];
  const checking = (reward: Reward): Reward => ({
    ...reward,
    listens: true,
    check: async () => void checked.push(reward.name),
  });
  const reward = weighted([first, checking(second)]);
  expect(reward.listens).toBe(true);
  await reward.check!();
  expect(checked).toEqual(['second']);
  expect(combinationOf(reward)).toMatchObject({ parts: [first, {}], combination: { how: 'weighted' } });
  expect(combinationOf(first)).toBeUndefined();
});

describe('a reward that ranks a prompt together', () => {
  it('stops the run by other than a finite number for each sample', async () => {
    const ranking = (ranks: unknown): Reward => ({ ...first, rankPrompt: () => ranks as number[] });
    const message = (shown: string) =>
      `the first reward ranks 1 samples of a prompt by ${shown}: it must give a finite number for each`;
    await expect(rank(ranking([NaN]), [sampleOf(1)])).rejects.toThrow(message('[ NaN ]'));
    await expect(rank(ranking(undefined), [sampleOf(1)])).rejects.toThrow(message('undefined'));
  });

  it('may be an object of a class', async () => {
    class Scaled implements Reward {
      readonly name = 'scaled';
      readonly label = 'scaled';
      readonly listens = false;
      private readonly scale = -2;
      score = async (samples: readonly Sample[]) => samples.map(({ codes }) => ({ reward: codes[0] }));
      rankPrompt(scores: readonly { reward: number }[]) {
        return scores.map(({ reward }) => this.scale * reward);
      }
    }
    expect(await rank(new Scaled(), [sampleOf(1), sampleOf(3)])).toEqual([-2, -6]);
    expect(await rank(lexicographic([new Scaled(), first]), [sampleOf(1), sampleOf(3)])).toEqual([1, 0]);
  });

  it('is named where it throws', async () => {
    const broken: Reward = {
      ...first,
      rankPrompt: () => {
        throw new TypeError('x is undefined');
      },
    };
    const ranking = rank(broken, [sampleOf(1)]);
    await expect(ranking).rejects.toThrow(
      "the first reward fails to rank a prompt's samples: x is undefined",
    );
    await expect(ranking).rejects.toBeInstanceOf(ScorerFault);
  });
});

it('refuses two figures of one name, of which one would be lost', async () => {
  const ranked = rewardOf('ranked', '', ({ codes }) => ({ reward: codes[0], details: { rank: -codes[0] } }));
  await expect(askReward(lexicographic([ranked, first]), [sampleOf(1)])).rejects.toThrow(
    'two figures of ranked+first are called ranked_rank: give the detail or the reward another name',
  );
  expect(await rank(weighted([ranked, first]), [sampleOf(1)])).toEqual([2]);
  const [a, ab] = [rewardOf('a', '', () => ({ reward: 1, details: { b: 2 } })), codeAt('a_b', 0)];
  await expect(askReward(weighted([a, ab]), [sampleOf(1)])).rejects.toThrow(
    'two figures of a+a_b are called a_b',
  );
});
