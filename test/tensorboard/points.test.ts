import { expect, it } from 'vitest';
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
});
