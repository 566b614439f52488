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
    { tag: 'warnings', step: 7, text: '- worse' },
  ]);
});
