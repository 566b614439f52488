import type { MonoRecording } from '../audio/wav.js';
import type { DatasetItem } from '../data/item.js';
import { orUnscorable, UnscorableSample } from '../scoring/unscorable.js';

/** What a reward may look at: one sampled completion of one prompt. */
export interface Sample {
  readonly item: DatasetItem;
  /** Codes of codebook 0 as the policy wrote them (no special tokens), a copy each time. */
  readonly codes: number[];
  /**
   * The sample's waveform, mono, made on first use, a copy each time.
   * @throws UnscorableSample for a completion that is too long to be heard
   */
  audio(): Promise<MonoRecording>;
}

/** What a reward says of a sample: how good it is, or why it cannot be scored. */
export type Score =
  | {
      /** Higher is better. */
      reward: number;
      /** What pairs are ranked by where it differs from the reward (dpo_length ranks by shortness). */
      rank?: number;
      /** Further figures, the same for every sample, kept in data_iter_k.json as chosen_NAME and rejected_NAME beside the reward. */
      details?: Readonly<Record<string, number>>;
    }
  | {
      /** Why: "it is silent". The sample is left out and counted. */
      dropped: string;
    };

/** Says of samples how good they are. {@link rewardOf} makes one of a function of a single sample. */
export interface Reward {
  /** Names the reward in files and commands: letters, digits, `.`, `_` and `-`. */
  readonly name: string;
  /** Axis label, for example "even tokens (0 to 5)". */
  readonly label: string;
  /** False for a reward that never asks for `audio()`: where nothing else needs sound, partner and codec are not opened. Default true. */
  readonly listens?: boolean;
  /**
   * Scores samples, at most 16 in a call, several calls at a time.
   *
   * What it throws is no sample's fault: it is called again, and the run stops when it throws three times. So it does when the
   * scores are not one for each sample. NaN or an infinity stops the run at once. An UnscorableSample drops the sample that it came from.
   *
   * @param signal is aborted when the run stops and no score is wanted any more
   * @returns the scores in the samples' order
   */
  score(samples: readonly Sample[], signal?: AbortSignal): Promise<readonly Score[]>;
  /**
   * Makes sure, before the first sample, that the reward can score: a server answers, a network computes.
   *
   * @throws Error in one sentence for what is missing; a run ends with it before anything is written
   */
  check?(): Promise<void>;
  /**
   * Ranks that depend on a prompt's other samples: made once, of all of a prompt's samples that have a score, before they are paired, and in the
   * place of the ranks that `score` gave. The run's own process calls it, also where workers scored.
   *
   * @returns a finite number for each, higher is better
   */
  rankPrompt?(scores: readonly RewardedSample[]): readonly number[];
}

/** What is known of a sample that has a score. */
export interface RewardedSample {
  readonly reward: number;
  readonly details: Readonly<Record<string, number>>;
}

/** How often a scorer that breaks is asked in all. */
export const SCORER_TRIES = 3;

/** Thrown by a scorer to say that asking it again is of no use. */
export class ScorerRefusal extends Error {
  override name = 'ScorerRefusal';
}

/** Thrown by a scorer that broke at one of several samples; `cause` is what was thrown there. */
export class FailedSample extends Error {
  override name = 'FailedSample';

  constructor(
    readonly sample: Sample,
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/**
 * A reward from a function of one sample. The function gives a number, or a {@link Score}; null, or an UnscorableSample that it throws, drops
 * the sample.
 *
 * @param label axis label
 * @param listens whether the function asks for the sample's audio; default true
 * @example
 * const restless = rewardOf('restless', 'share of codes that differ from the one before', ({ codes }) =>
 *   codes.length < 2 ? null : codes.filter((code, i) => i > 0 && code !== codes[i - 1]).length / (codes.length - 1),
 * );
 */
export function rewardOf(
  name: string,
  label: string,
  score: (sample: Sample, signal?: AbortSignal) => number | null | Score | Promise<number | null | Score>,
  { listens = true }: { listens?: boolean } = {},
): Reward {
  const scoreOne = async (sample: Sample, signal?: AbortSignal): Promise<Score> => {
    const result = await orUnscorable(() => score(sample, signal)).catch((error: unknown) => {
      throw new FailedSample(sample, error);
    });
    if (result instanceof UnscorableSample) return { dropped: result.message };
    if (result === null) return { dropped: 'the reward gives it no score' };
    return typeof result === 'number' ? { reward: result } : result;
  };
  return {
    name,
    label,
    listens,
    score: (samples, signal) => Promise.all(samples.map((sample) => scoreOne(sample, signal))),
  };
}
