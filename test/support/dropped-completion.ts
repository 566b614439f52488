import type { ScoredCompletion } from '../../lib/experiment/scored-completion.js';

/** One that the reward gives no score. */
export const droppedCompletion: ScoredCompletion = {
  codes: [1],
  finished: true,
  reward: null,
  rank: null,
  details: {},
  figures: {},
  dropped: 'it is short',
};
