import { expect, it } from 'vitest';
import { describeHeldOutChange } from '../../lib/cli/before-after.js';
import type { RunEvent } from '../../lib/run/events.js';
import { changeTable, rewardChangeTable } from '../../lib/view/change-table.js';
import { evaluated, fixtureEvents } from './fixture-run.js';

/** Two samples of each of five prompts; prompt 4 gets worse, prompt 3 stays, the others gain 1. */
const before = [0, 2, 1, 1, 2, 2, 3, 3, 4, 4];
const after = [1, 3, 2, 2, 3, 3, 2, 4, 3, 3];
const lengths = Array.from({ length: 10 }, () => 100);
const events: RunEvent[] = [
  evaluated(-1, 'test', before, lengths),
  evaluated(0, 'test', before, lengths),
  evaluated(
    1,
    'test',
    after,
    lengths.map((length, i) => length - i),
  ),
];

// Differences 1, 1, 1, 0, -1: mean .4, standard deviation √(3.2 / 4).
const EFFECT_SIZE = (0.4 / Math.sqrt(0.8)).toFixed(2);

it('tells what training changed on held-out prompts, paired by prompt', () => {
  const [reward, length] = changeTable(events).rows;
  // Of five prompts .096 % are to lie on either side. Exactly, of all 5⁵ resamples .032 % have a mean below -.8, .19 % one of at most -.8, and 7.8 % one of 1.
  expect(reward).toEqual(['reward', '+0.40 (−0.80 to +1.00)', '5', EFFECT_SIZE, '70 %']);
  // Prompt means fall by .5, 2.5, ..., 8.5: mean -4.5, standard deviation √10.
  expect(length[0]).toBe('length in tokens');
  expect(length[1]).toMatch(/^−4\.5 \(/);
  expect(length.slice(2)).toEqual(['5', `−${(4.5 / Math.sqrt(10)).toFixed(2)}`, '']);
  expect(changeTable([])).toMatchObject({ rows: [] });
  const guards = [{ figure: 'kl' as const, mean: 1, promptMeans: [0, 0, 1, 2, 2], missing: 0 }];
  const guarded = [-1, 1].map((iteration): RunEvent => ({
    type: 'guarded',
    iteration,
    guards,
    warnings: [],
  }));
  expect(changeTable([...events, ...guarded]).rows[2].slice(0, 2)).toEqual([
    'KL to the original in nats',
    '0.00 (0.00 to 0.00)',
  ]);
});

it('tells it of every iteration', () => {
  expect(rewardChangeTable(events, 'test').rows).toEqual([
    ['iteration 0', '0.00 (0.00 to 0.00)', '5', '-', '50 %'],
    ['iteration 1', '+0.40 (−0.80 to +1.00)', '5', EFFECT_SIZE, '70 %'],
  ]);
  expect(rewardChangeTable(events, 'train').rows).toEqual([]);
  // Without the original policy there is nothing to compare with.
  expect(rewardChangeTable(events.slice(1), 'test').rows).toEqual([]);
});

it('says n, win rate and effect size in the terminal, and where there are too few prompts', () => {
  expect(describeHeldOutChange(events)).toBe(
    `Held-out reward of 5 prompts: win rate 70 % (ties count half), effect size d_z = ${EFFECT_SIZE}. Changes with an interval are means over prompts, and the intervals a paired bootstrap over them.`,
  );
  const few = [evaluated(-1, 'test', [0, 2], [1, 1]), evaluated(0, 'test', [3, 1], [1, 1])];
  expect(describeHeldOutChange(few)).toBe(
    'Held-out reward of 1 prompt: win rate 100 % (ties count half). There are too few prompts for an interval: it takes 5 that have a score before and after.',
  );
  expect(describeHeldOutChange(fixtureEvents(0))).toBe('');
});
