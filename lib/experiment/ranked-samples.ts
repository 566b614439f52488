import type { RewardedCompletion, ScoredCompletion } from './scored-completion.js';

/** Where a sample stands among those of its prompt by one policy. */
export const STANDINGS = ['best', 'median', 'worst'] as const;
export type Standing = (typeof STANDINGS)[number];

export interface RankedSample {
  standing: Standing;
  /** Index among the prompt's samples. */
  sample: number;
  completion: RewardedCompletion;
}

/**
 * The best, the median and the worst of a prompt's samples by what samples are compared by; of an even number, the lower median. Two
 * samples have no median, and a single one is none of the three. Of equals, the first sample stands higher.
 *
 * @param samples of one prompt by one policy
 * @param hasSound samples without one are passed over, as are those without a reward
 */
export function rankSamples(
  samples: readonly ScoredCompletion[],
  hasSound: (completion: ScoredCompletion) => boolean,
): RankedSample[] {
  const ranked = samples
    .flatMap((completion, sample) =>
      completion.reward !== null && hasSound(completion) ? [{ completion, sample }] : [],
    )
    // Sorting is stable: of equals, the first sample stays before the others.
    .sort((a, b) => b.completion.rank - a.completion.rank);
  if (ranked.length < 2) return [];
  const places: [Standing, number][] = [
    ['best', 0],
    ...(ranked.length > 2 ? [['median', Math.floor(ranked.length / 2)] as [Standing, number]] : []),
    ['worst', ranked.length - 1],
  ];
  return places.map(([standing, place]) => ({ standing, ...ranked[place] }));
}
