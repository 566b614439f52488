import { expect, it } from 'vitest';
import { rankSamples } from '../../lib/experiment/ranked-samples.js';
import type { ScoredCompletion } from '../../lib/experiment/scored-completion.js';
import { droppedCompletion as dropped } from '../support/dropped-completion.js';

const rewarded = (rank: number, codes = [1]): ScoredCompletion => ({
  codes,
  finished: true,
  reward: -rank,
  rank,
  details: {},
  figures: {},
});
const placesOf = (samples: ScoredCompletion[]) =>
  rankSamples(samples, ({ codes }) => codes.length > 0).map(({ standing, sample }) => [standing, sample]);

it('names the best, the median and the worst by what samples are compared by', () => {
  expect(placesOf([3, 1, 5, 2, 4].map((rank) => rewarded(rank)))).toEqual([
    ['best', 2],
    ['median', 0],
    ['worst', 1],
  ]);
  expect(placesOf([1, 2, 3, 4].map((rank) => rewarded(rank)))).toEqual([
    ['best', 3],
    ['median', 1],
    ['worst', 0],
  ]);
});

it('passes over what has no reward or no sound', () => {
  expect(placesOf([rewarded(9, []), rewarded(1), dropped, rewarded(2), rewarded(3)])).toEqual([
    ['best', 4],
    ['median', 3],
    ['worst', 1],
  ]);
});

it('has no median of two samples, and no name for a single one', () => {
  expect(placesOf([rewarded(1), rewarded(1)])).toEqual([
    ['best', 0],
    ['worst', 1],
  ]);
  expect(placesOf([rewarded(1), dropped])).toEqual([]);
});
