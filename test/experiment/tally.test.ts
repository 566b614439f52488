import { expect, it } from 'vitest';
import type { ScoredCompletion } from '../../lib/experiment/scored-completion.js';
import { tally } from '../../lib/experiment/tally.js';

it('gives each reason of a dropped sample on one line, without commands to a terminal', () => {
  const dropped: ScoredCompletion = {
    ...{ codes: [1], finished: true, reward: null, rank: null, details: {}, figures: {} },
    dropped: 'no\n2026-01-01 - INFO - \x1b[2Jall is well',
  };
  expect(tally([[dropped], [dropped]]).droppedReasons).toEqual([
    '2 samples: no\ufffd2026-01-01 - INFO - \ufffd[2Jall is well',
  ]);
  expect(tally([[{ ...dropped, dropped: 'it is empty' }]]).droppedReasons).toEqual(['1 sample: it is empty']);
});
