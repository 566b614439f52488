import { describe, expect, it } from 'vitest';
import { fitTable, wrapText } from '../../lib/view/fit-table.js';
import { textTable, type Table } from '../../lib/view/table.js';

const right = (title: string) => ({ title, align: 'right' as const });
const table: Table = {
  columns: [{ title: 'file' }, ...Array.from({ length: 12 }, (_, i) => right(`metric ${i + 1}`))],
  rows: [
    ['a.wav', ...Array.from({ length: 12 }, (_, i) => `${i}.000`)],
    [`${'folder/'.repeat(14)}b.wav`, ...Array.from({ length: 12 }, () => '-')],
  ],
};
const linesAt = (width: number) => fitTable(table, width).map(textTable).join('\n\n').split('\n');

describe('fitTable', () => {
  it.each([80, 100, 120])('is no wider than %i columns, and loses nothing', (width) => {
    const lines = linesAt(width);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    const parts = fitTable(table, width);
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.flatMap(({ columns }) => columns.slice(1))).toEqual(table.columns.slice(1));
    expect(parts.flatMap(({ rows }) => rows[0].slice(1))).toEqual(table.rows[0].slice(1));
    for (const { rows } of parts) {
      expect(rows[0][0]).toBe('a.wav');
      expect(rows[1][0].replaceAll('\n', '')).toBe(table.rows[1][0]);
    }
  });

  it('wraps the title of the first column, above the rule', () => {
    const titled = { columns: [{ title: 'one two three' }, right('n')], rows: [['a', '1']] };
    expect(fitTable(titled, 16).map(textTable)).toEqual(['one two  n\nthree\n-------  -\na        1']);
  });

  it('leaves a table alone that fits', () => {
    expect(fitTable(table, Infinity)).toEqual([table]);
    expect(fitTable({ columns: [{ title: 'a' }], rows: [] }, 80)).toEqual([
      { columns: [{ title: 'a' }], rows: [] },
    ]);
  });
});

it('wraps texts at blanks, and within words that are longer than a line', () => {
  expect(wrapText('one two three', 8)).toBe('one two\nthree');
  expect(wrapText('abcdefgh ij', 4)).toBe('abcd\nefgh\nij');
  expect(wrapText('as it is', 20)).toBe('as it is');
  expect(wrapText('日本語', 4)).toBe('日本\n語');
});
