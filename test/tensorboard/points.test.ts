import { expect, it } from 'vitest';
import type { RunEvent } from '../../lib/run/events.js';
import { summarize } from '../../lib/run/statistics.js';
import { pairTable, pointsOfEvent } from '../../lib/tensorboard/points.js';

const row = {
  instruction: 'Faster | <b>![x](http://evil)</b>\nnow',
  source: [1, 2],
  chosen: [1, 2, 3],
  rejected: [4],
  chosenReward: 1 / 3,
  rejectedReward: -2,
  averageReward: 0,
  details: {},
};

it('a table of pairs holds text from outside as text, and says what is left out', () => {
  const lines = pairTable(Array(203).fill(row), 'data_iter_4.json').split('\n');
  expect(lines).toHaveLength(204);
  expect(lines[2]).toBe(
    '| 0 | Faster &#124; &#60;b&#62;&#33;&#91;x&#93;&#40;http://evil&#41;&#60;/b&#62; now | 2 | 3 | 0.33333 | 1 | -2 | 2.3333 |',
  );
  expect(lines[1]).toBe('| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |');
  expect(lines.at(-1)).toBe('3 further pairs are in data&#95;iter&#95;4.json.');
});

it('guards are scalars, and their warnings a text', () => {
  const guards = [{ figure: 'silence' as const, mean: 0.25, promptMeans: [0.25], missing: 0 }];
  const event = { type: 'guarded' as const, iteration: 1, guards, warnings: ['worse'] };
  expect(pointsOfEvent(event, 7)).toEqual([
    { tag: 'guard/silence', step: 7, scalar: 0.25 },
    { tag: 'warnings/guards', step: 7, text: '- worse' },
  ]);
  expect(pointsOfEvent({ ...event, warnings: [] }, 7)).toHaveLength(1);
});

it('pairs that were not made are counted by reason; what a run warns of and why it stopped are texts', () => {
  const paired = { type: 'paired' as const, iteration: 0, pairs: 1, skipped: 0, skippedReasons: [] };
  const rewards = { chosenRewards: [2, 3], rejectedRewards: [1, 1], dataFile: 'data_iter_0.json' };
  const counts = { considered: 6, dropped: { minChosen: 4 } };
  expect(
    pointsOfEvent({ ...paired, ...rewards, ...counts }, 0).map((point) => [
      point.tag,
      'scalar' in point && point.scalar,
    ]),
  ).toEqual([
    ['pairs/count', 1],
    ['pairs/skipped_prompts', 0],
    ['pairs/chosen_reward', 2.5],
    ['pairs/rejected_reward', 1],
    ['pairs/considered', 6],
    ['pairs/dropped_minChosen', 4],
  ]);
  const warned = { type: 'warned', iteration: 1, about: 'endings', message: 'they do not end' } as const;
  expect(pointsOfEvent(warned, 3)).toEqual([{ tag: 'warnings/endings', step: 3, text: '- they do not end' }]);
  const stopped = { type: 'stopped', iteration: 1, step: 3, reason: 'accuracy is full' } as const;
  expect(pointsOfEvent(stopped, 3)).toEqual([
    { tag: 'stopped/training', step: 3, text: '- accuracy is full' },
  ]);
  const restored = { type: 'restored', iteration: 1, step: 2, reason: 'step 2 was better' } as const;
  expect(pointsOfEvent(restored, 3)).toEqual([{ tag: 'restored', step: 3, text: '- step 2 was better' }]);
  expect(pointsOfEvent({ ...stopped, step: undefined }, 3)).toMatchObject([{ tag: 'stopped/run' }]);
  // Of no pairs there is no mean.
  const none = pointsOfEvent({ ...paired, pairs: 0, ...rewards, chosenRewards: [], rejectedRewards: [] }, 0);
  expect(none.map(({ tag }) => tag)).toEqual(['pairs/count', 'pairs/skipped_prompts']);
});

it('an evaluation is its mean, spread and mean length; samples are their mean reward and those without one', () => {
  const scalarsOf = (event: RunEvent) =>
    pointsOfEvent(event, 2).map((point) => [point.tag, 'scalar' in point && point.scalar]);
  const evaluated = { type: 'evaluated', iteration: 0, split: 'test' } as const;
  const told = {
    rewards: [1, 3],
    promptMeans: [1, 3],
    lengths: [4, 8, 9],
    droppedReasons: ['empty'],
    seconds: 1,
  };
  expect(scalarsOf({ ...evaluated, ...told, statistics: summarize([1, 3]) })).toEqual([
    ['reward/held-out', 2],
    ['reward/held-out_std', 1],
    ['length/held-out', 7],
  ]);
  const best = { ...evaluated, ...told, statistics: summarize([1, 3]), bestOfN: [2, 2.75, 3] };
  expect(scalarsOf(best)[2]).toEqual(['reward/held-out_best_of_3', 3]);
  expect(scalarsOf({ ...best, bestOfN: [2] })).toHaveLength(3);
  const scored = { type: 'scored', iteration: 0, scored: 5, dropped: 3 } as const;
  expect(scalarsOf({ ...scored, droppedReasons: [], averageReward: 2.5, seconds: 1 })).toEqual([
    ['samples/reward', 2.5],
    ['samples/dropped', 3],
  ]);
});
