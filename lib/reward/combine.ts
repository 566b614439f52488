import { sumOf } from '../mean.js';
import { askOnce, askRanks } from './ask.js';
import {
  checkCombination,
  combineRanks,
  harmonicMean,
  joinNames,
  weightedSum,
  type Combination,
} from './combination.js';
import {
  FailedSample,
  ScorerRefusal,
  type Reward,
  type RewardedSample,
  type Sample,
  type Score,
} from './reward.js';

/** What a combination is made of. */
export interface CombinedReward {
  parts: readonly Reward[];
  combination: Combination;
}

const combinations = new WeakMap<Reward, CombinedReward>();

/** What a reward is a combination of; undefined for one that is none. */
export const combinationOf = (reward: Reward): CombinedReward | undefined => combinations.get(reward);

/**
 * One reward of several. A sample that one of them drops is dropped.
 *
 * Its `reward` is what one sample's own scores give, so that it can be compared between prompts and checkpoints: the weighted sum; the weighted
 * harmonic mean, or where that is normalized the weighted mean; of the lexicographic order the first reward. Where the combination is
 * normalized or lexicographic, a prompt's samples are ranked together ({@link Reward.rankPrompt}). `details` are the rewards of the parts by
 * their names, and the details of each as NAME_DETAIL.
 *
 * @throws Error in one sentence for fewer than two rewards, two of the same name, or a combination that does not fit them
 */
export function combine(parts: readonly Reward[], combination: Combination): Reward {
  const names = parts.map(({ name }) => name);
  if (parts.length < 2) throw new Error('a combination is of two rewards or more');
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new Error(
      `two of the rewards are called ${twice}; what is kept of each is called by its name, so give one another (NAME=http://... names an address)`,
    );
  checkCombination(combination, parts.length);
  const { how, normalize = false } = combination;
  const valuesOf = (part: Reward, scores: readonly RewardedSample[]): readonly number[] => {
    const rewards = scores.map(({ details }) => details[part.name]);
    if (how !== 'lexicographic') return rewards;
    const together = askRanks(
      part,
      scores.map((score) => scoreOfPart(score, part.name)),
    );
    return together ?? scores.map(({ details }, i) => details[rankKey(part.name)] ?? rewards[i]);
  };
  const reward: Reward = {
    name: joinNames(names),
    label: combinedLabel(parts, combination),
    listens: parts.some(({ listens = true }) => listens),
    async score(samples, signal) {
      // What still asks when another part has failed is waited for.
      const asked = await Promise.allSettled(parts.map((part) => askOnce(part, samples, signal)));
      const failed = asked.find((each) => each.status === 'rejected');
      if (failed) throw failed.reason;
      const scores = asked.map((each) => (each as PromiseFulfilledResult<readonly Score[]>).value);
      return samples.map((sample, k) =>
        scoreSample(
          sample,
          names,
          scores.map((each) => each[k]),
          combination,
        ),
      );
    },
    async check() {
      for (const part of parts) await part.check?.();
    },
    ...((normalize || how === 'lexicographic') && {
      rankPrompt: (scores: readonly RewardedSample[]) =>
        combineRanks(
          parts.map((part) => valuesOf(part, scores)),
          combination,
        ),
    }),
  };
  combinations.set(reward, { parts, combination });
  return reward;
}

/**
 * The sum of rewards, each times its weight; the ranks that they give do not count.
 *
 * @param options.weights one for each; default 1
 * @param options.normalize ranks a prompt's samples by z-scores among them; default false
 * @example
 * const reward = weighted([evenTokenReward, lengthReward], { weights: [2, 1], normalize: true });
 */
export function weighted(
  rewards: readonly Reward[],
  options: Pick<Combination, 'weights' | 'normalize'> = {},
): Reward {
  return combine(rewards, { ...options, how: 'weighted' });
}

/**
 * The first reward, and where samples are equal by it the second, and so on. Each counts by its rank where it gives one, also one that is of a
 * prompt's samples together.
 *
 * @param options.steps within which values count as equal, one for each; default 0
 * @param options.normalize takes steps in standard deviations among a prompt's samples; default false
 */
export function lexicographic(
  rewards: readonly Reward[],
  options: Pick<Combination, 'steps' | 'normalize'> = {},
): Reward {
  return combine(rewards, { ...options, how: 'lexicographic' });
}

/**
 * The harmonic mean of rewards, which are numbers from 0 on; the ranks that they give do not count.
 *
 * @param options.weights one for each, from 0 on; default 1
 * @param options.normalize ranks a prompt's samples by the harmonic mean of 1 / (1 + exp(-z)) of their z-scores; default false
 */
export function harmonic(
  rewards: readonly Reward[],
  options: Pick<Combination, 'weights' | 'normalize'> = {},
): Reward {
  return combine(rewards, { ...options, how: 'harmonic' });
}

const rankKey = (name: string): string => `${name}_rank`;

/** What a part gave a sample, by the details of the combination. */
function scoreOfPart({ details }: RewardedSample, name: string): RewardedSample {
  const prefix = `${name}_`;
  const own = Object.entries(details).filter(([key]) => key.startsWith(prefix));
  return {
    reward: details[name],
    details: Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value])),
  };
}

/** @throws FailedSample where a harmonic mean is asked of a negative reward, or two figures have one name */
function scoreSample(
  sample: Sample,
  names: readonly string[],
  scores: readonly Score[],
  { how, weights = names.map(() => 1), normalize = false }: Combination,
): Score {
  const rewards: number[] = [];
  const figures = new Map<string, number | undefined>();
  const refused = (why: string) => new FailedSample(sample, new ScorerRefusal(why));
  const add = (figure: string, value: number | undefined) => {
    if (figures.has(figure))
      throw refused(
        `two figures of ${joinNames(names)} are called ${figure}: give the detail or the reward another name`,
      );
    figures.set(figure, value);
  };
  for (const [i, score] of scores.entries()) {
    const name = names[i];
    if ('dropped' in score) return { dropped: `${name}: ${score.dropped}` };
    rewards.push(score.reward);
    add(name, score.reward);
    if (how === 'lexicographic') add(rankKey(name), score.rank);
    for (const [detail, value] of Object.entries(score.details ?? {})) add(`${name}_${detail}`, value);
  }
  const known = [...figures].filter(([, value]) => value !== undefined);
  const details = Object.fromEntries(known) as Record<string, number>;
  if (how === 'lexicographic') return { reward: rewards[0], details };
  if (how === 'weighted') return { reward: weightedSum(rewards, weights), details };
  if (normalize) {
    return { reward: weightedSum(rewards, weights) / sumOf(weights), details };
  }
  const negative = rewards.findIndex((reward) => reward < 0);
  if (negative >= 0)
    throw refused(
      `a harmonic mean is of rewards from 0 on, and ${names[negative]} is ${rewards[negative]}: normalize them, or take a weighted sum`,
    );
  return { reward: harmonicMean(rewards, weights), details };
}

function combinedLabel(
  parts: readonly Reward[],
  { how, weights = [], normalize = false }: Combination,
): string {
  if (how === 'lexicographic') return parts[0].label;
  const weighed = parts.map(({ name }, i) => ((weights[i] ?? 1) === 1 ? name : `${weights[i]} ${name}`));
  if (how === 'weighted') return weighed.join(' + ');
  return `${normalize ? 'mean' : 'harmonic mean'} of ${weighed.join(' and ')}`;
}
