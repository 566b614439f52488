import { describe, expect, it } from 'vitest';
import { formatBeforeAfter } from '../../lib/cli/before-after.js';
import { beforeAfterTable } from '../../lib/view/evaluation-table.js';
import { evaluated } from '../view/fixture-run.js';

const events = [
  evaluated(-1, 'train', [1, 1], [1, 1]),
  evaluated(-1, 'test', [2, 3], [100, 110]),
  evaluated(0, 'test', [3, 3], [90, 90]),
  evaluated(1, 'test', [4, 4.5], [98, 102]),
];

describe('formatBeforeAfter', () => {
  it('compares the original with the last policy on held-out prompts', () => {
    const lines = formatBeforeAfter(events, 'even-token').split('\n');
    const cells = lines.map((line) => line.split(/ {2,}/));
    expect(cells[0]).toEqual(['held-out prompts', 'before', 'after', 'change, 95 % interval']);
    expect(cells.slice(2)).toEqual([
      ['mean reward', '2.50', '4.25', '+1.75 (no interval)'],
      ['even tokens', '50.0 %', '85.0 %'],
      ['median reward', '2.50', '4.25'],
      ['p25 to p75 of reward', '2.25 to 2.75', '4.13 to 4.38'],
      ['mean length in tokens', '105.0', '100.0'],
      ['median length in tokens', '105.0', '100.0'],
    ]);
  });

  it('tells how many samples have no score, where there are any', () => {
    const unscored = evaluated(2, 'test', [4], [98, 102]);
    expect(formatBeforeAfter([...events, unscored], 'length')).toMatch(
      /^samples without a score +0 of 2 +1 of 2$/m,
    );
    expect(formatBeforeAfter(events, 'length')).not.toContain('without a score');
    const { rows } = beforeAfterTable([...events, unscored]);
    expect(rows).toContainEqual(['samples without a score, held-out prompts', '0', '1', '+1']);
    expect(beforeAfterTable(events).rows.flat().join()).not.toContain('without a score');
  });

  it('has no even share for other rewards', () => {
    expect(formatBeforeAfter(events, 'length')).not.toContain('even');
  });

  it('is empty before the first training', () => {
    expect(formatBeforeAfter(events.slice(0, 2), 'length')).toBe('');
  });
});
