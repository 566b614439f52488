import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compactBatch } from '../../lib/policy/compact-batch.js';

const [YES, NO] = [true, false];

it.each([
  ['all are open', [YES, YES, YES, YES], 2, { prompts: [0, 1], rows: [0, 1, 2, 3] }],
  ['a prompt has ended', [NO, NO, YES, YES, NO, YES], 3, { prompts: [1, 2], rows: [2, 3, 4, 5] }],
  [
    'rows of each prompt have ended',
    [YES, NO, YES, NO, NO, NO, YES, NO],
    2,
    { prompts: [0, 1], rows: [0, 2, 4, 6] },
  ],
  ['one row is open', [NO, NO, NO, NO, NO, YES], 2, { prompts: [1], rows: [3, 5] }],
  ['one row of one sample each is open', [NO, YES, NO], 3, { prompts: [1], rows: [1] }],
  ['none is open', [NO, NO, NO, NO], 2, { prompts: [], rows: [] }],
])('the smallest batch where %s', (_, open, prompts, expected) => {
  expect(compactBatch(open, prompts)).toEqual(expected);
});

const batches = fc
  .record({ prompts: fc.integer({ min: 1, max: 5 }), samples: fc.integer({ min: 1, max: 5 }) })
  .chain(({ prompts, samples }) =>
    fc.record({
      prompts: fc.constant(prompts),
      samples: fc.constant(samples),
      open: fc.array(fc.boolean(), { minLength: prompts * samples, maxLength: prompts * samples }),
    }),
  );

it('holds every open row once, as many of each of its prompts, and no prompt without an open one', () => {
  fc.assert(
    fc.property(batches, ({ prompts, samples, open }) => {
      const staying = compactBatch(open, prompts);
      expect(staying.rows).toEqual([...new Set(staying.rows)].sort((a, b) => a - b));
      const isOpen = (row: number) => open[row];
      expect(staying.rows.filter(isOpen)).toEqual([...open.keys()].filter(isOpen));
      const prompt = (row: number) => Math.floor(row / samples);
      expect(staying.prompts).toEqual([...new Set(staying.rows.filter(isOpen).map(prompt))]);
      const counts = staying.prompts.map((of) => staying.rows.filter((row) => prompt(row) === of).length);
      expect(new Set(counts).size).toBeLessThan(2);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(staying.rows.length);
      const most = staying.prompts.map(
        (of) => staying.rows.filter((row) => isOpen(row) && prompt(row) === of).length,
      );
      for (const count of counts) expect(count).toBe(Math.max(Math.min(2, samples), ...most));
    }),
  );
});
