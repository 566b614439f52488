import { expect, it } from 'vitest';
import { singleEvaluationTable, trainingTable } from '../../lib/cli/result-tables.js';
import type { RunEvent } from '../../lib/run/events.js';
import { evaluated } from '../view/fixture-run.js';

const evaluation = (rewards: number[]) =>
  evaluated(2, 'test', rewards, rewards.map(() => 10)) as Extract<RunEvent, { type: 'evaluated' }>; // prettier-ignore

it('an evaluation: mean with its interval over prompts, spread, length, samples', () => {
  const found = { ...evaluation([1, 1, 1, 1, 1]), promptMeans: [1, 1, 1, 1, 1] };
  const { columns, rows } = singleEvaluationTable(found, 'even tokens (0 to 5)');
  expect(columns[0].title).toBe('held-out prompts');
  expect(rows).toEqual([
    ['reward', '', 'even tokens (0 to 5)'],
    ['mean reward', '1.00', '95 % interval over prompts: 1.00 to 1.00'],
    ['median reward', '1.00', 'p25 to p75: 1.00 to 1.00'],
    ['mean length', '10.0', 'tokens; median 10.0'],
    ['samples with a score', '5', 'of 5, of 5 prompts'],
  ]);
});

it('an interval says which mean it is of, where it is another than that over samples', () => {
  const found = { ...evaluation([4, 4, 4, 4, 4, 4, 4, 4, 1]), promptMeans: [4, 4, 4, 4, 1] };
  const [, shown, interval] = singleEvaluationTable(found, '').rows[1];
  expect(shown).toBe('3.67');
  expect(interval).toMatch(/^95 % interval over prompts, whose mean is 3\.40: [\d.]+ to [\d.]+$/);
});

it('an interval that cannot be given says why', () => {
  const found = { ...evaluation([1, 2]), promptMeans: [1, 2, null, null, null, null] };
  expect(singleEvaluationTable(found, '').rows[1][2]).toBe(
    'no interval: it takes 5 prompts with a score, and there are 2',
  );
  expect(singleEvaluationTable({ ...found, promptMeans: [1] }, '').rows[1][2]).toMatch(/and there is 1$/);
});

it('a training: means over its first and its last epoch, of what was measured', () => {
  const step = (epoch: number, loss: number, margin?: number): RunEvent => ({
    ...{ type: 'step', iteration: 0, epoch, step: 1, steps: 4 },
    metrics: { loss, ...(margin !== undefined && { 'rewards/margins': margin }) },
  });
  const events: RunEvent[] = [
    ...[step(0, 1, 0), step(0, 0.5, 1), step(1, 9, 9), step(2, 0.25, 2)],
    { type: 'validated', iteration: 0, epoch: 2, step: 4, metrics: { loss: 0.5 } },
  ];
  expect(trainingTable(events).rows).toEqual([
    ['loss', '0.750', '0.250', '−0.500'],
    ['margin of implicit rewards', '0.500', '2.000', '+1.500'],
    ['validation loss', '0.500', '0.500', 'one epoch'],
  ]);
});

it('a training that early stopping ended with earlier weights: up to the epoch whose weights it keeps', () => {
  const epoch = (epoch: number, loss: number): RunEvent[] =>
    (['step', 'validated'] as const).map((type) => ({
      ...{ type, iteration: 0, epoch, step: epoch + 1, steps: 4 },
      metrics: { loss },
    }));
  const restored: RunEvent = { type: 'restored', iteration: 0, step: 2, reason: 'it was the best' };
  const { columns, rows } = trainingTable([...epoch(0, 1), ...epoch(1, 0.5), ...epoch(2, 3), restored]);
  expect(columns.map(({ title }) => title)).toEqual(['metric', 'first epoch', 'best epoch', 'change']);
  expect(rows).toEqual([
    ['loss', '1.000', '0.500', '−0.500'],
    ['validation loss', '1.000', '0.500', '−0.500'],
  ]);
});
