import { inspect } from 'node:util';
import { scorerFailure, UnscorableSample } from '../scoring/unscorable.js';
import {
  FailedSample,
  ScorerRefusal,
  type Reward,
  type RewardedSample,
  type Sample,
  type Score,
} from './reward.js';
import { retry } from './retry.js';

/**
 * Asks a reward for the scores of samples, again while it breaks, as often as {@link retry} does.
 *
 * @returns a score of each sample; its numbers may yet be NaN or infinite
 * @throws what the reward threw last, or an Error saying what is wrong with its answer
 */
export async function askReward(
  reward: Reward,
  samples: readonly Sample[],
  signal?: AbortSignal,
): Promise<readonly Score[]> {
  if (samples.length === 0) return [];
  const attempt = () => askOnce(reward, samples, signal);
  try {
    return await retry(attempt, { isFinal, signal });
  } catch (error) {
    if (error instanceof UnscorableSample) return askOneByOne(reward, samples, error, signal);
    throw error;
  }
}

/**
 * Asks a reward once.
 *
 * @throws what the reward throws, or an Error saying what is wrong with its answer
 */
export async function askOnce(
  reward: Reward,
  samples: readonly Sample[],
  signal?: AbortSignal,
): Promise<readonly Score[]> {
  return checkScores(await reward.score(samples, signal), samples.length);
}

/**
 * What a reward ranks a prompt's samples by together; undefined where it ranks each by itself.
 *
 * @throws Error when it throws, or gives other than a finite rank for each
 */
export function askRanks(reward: Reward, scores: readonly RewardedSample[]): readonly number[] | undefined {
  if (!reward.rankPrompt) return undefined;
  let ranks: unknown;
  try {
    ranks = reward.rankPrompt(scores);
  } catch (error) {
    throw scorerFailure(`the ${reward.name} reward fails to rank a prompt's samples`, error);
  }
  if (!Array.isArray(ranks) || ranks.length !== scores.length || !ranks.every(Number.isFinite))
    throw new Error(
      `the ${reward.name} reward ranks ${scores.length} samples of a prompt by ${show(ranks)}: it must give a finite number for each`,
    );
  return ranks as readonly number[];
}

function isFinal(error: unknown): boolean {
  const reason = error instanceof FailedSample ? error.cause : error;
  return reason instanceof ScorerRefusal || reason instanceof UnscorableSample;
}

/** Where scoring all together ended with one sample that cannot be scored, each is scored alone. */
async function askOneByOne(
  reward: Reward,
  samples: readonly Sample[],
  { message }: UnscorableSample,
  signal?: AbortSignal,
): Promise<Score[]> {
  if (samples.length === 1) return [{ dropped: message }];
  const scores: Score[] = [];
  for (const sample of samples) {
    try {
      scores.push(...(await askReward(reward, [sample], signal)));
    } catch (error) {
      throw error instanceof FailedSample ? error : new FailedSample(sample, error);
    }
  }
  return scores;
}

/** @throws Error unless there is a score of each sample, as `Score` is defined */
function checkScores(scores: unknown, count: number): readonly Score[] {
  if (!Array.isArray(scores)) throw new Error(`it gave ${show(scores)} in place of a list of scores`);
  if (scores.length !== count) throw new Error(`it gave ${scores.length} scores for ${count} samples`);
  for (const score of scores as unknown[]) {
    if (!isScore(score))
      throw new Error(
        `it gave the score ${show(score)}; a score is { reward: NUMBER } or { dropped: "WHY" }`,
      );
  }
  return scores as Score[];
}

function isScore(score: unknown): score is Score {
  if (typeof score !== 'object' || score === null) return false;
  if ('dropped' in score) return typeof score.dropped === 'string';
  const { reward, rank = 0, details = {} } = score as Record<string, unknown>;
  // Beside the reward itself, which data files keep as chosen_rewards and rejected_rewards.
  const isDetails = typeof details === 'object' && details !== null && !('rewards' in details);
  return [reward, rank, ...(isDetails ? Object.values(details) : [''])].every(
    (value) => typeof value === 'number',
  );
}

function show(value: unknown): string {
  const text = inspect(value, { breakLength: Infinity });
  return text.length > 200 ? `${text.slice(0, 200)} ...` : text;
}
