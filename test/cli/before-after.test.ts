import { describe, expect, it } from 'vitest';
import { formatBeforeAfter } from '../../lib/cli/before-after.js';
import { parseParameters, type Parameters } from '../../lib/run/parameters.js';
import type { RunEvent } from '../../lib/run/events.js';
import type { RecordedRun, RunRecord } from '../../lib/run/run-files.js';
import { beforeAfterTable } from '../../lib/view/evaluation-table.js';
import { summarizeRun } from '../../lib/view/report/summary.js';
import { evaluated } from '../view/fixture-run.js';

const events = [
  evaluated(-1, 'train', [1, 1], [1, 1]),
  evaluated(-1, 'test', [2, 3], [100, 110]),
  evaluated(0, 'test', [3, 3], [90, 90]),
  evaluated(1, 'test', [4, 4.5], [98, 102]),
];

const summaryOf = (events: RunEvent[], parameters: Partial<Parameters> = {}): string => {
  const record = {
    parameters: parseParameters(parameters),
    timings: [] as RunRecord['timings'],
  } as RunRecord;
  return summarizeRun({ record, events } as RecordedRun, 'length');
};

describe('formatBeforeAfter', () => {
  it('compares the original with the last policy on held-out prompts', () => {
    const lines = formatBeforeAfter(events, 'even-token').split('\n');
    const cells = lines.map((line) => line.split(/ {2,}/));
    expect(cells[0]).toEqual(['held-out prompts', 'before', 'after', 'change, 95 % interval']);
    expect(cells.slice(2)).toEqual([
      ['mean reward', '2.50', '4.25', '+1.75 (no interval)'],
      ['best of 2 samples', '3.00', '4.50'],
      ['even tokens', '50.0 %', '85.0 %'],
      ['median reward', '2.50', '4.25'],
      ['p25 to p75 of reward', '2.25 to 2.75', '4.13 to 4.38'],
      ['mean length in tokens', '105.0', '100.0'],
      ['median length in tokens', '105.0', '100.0'],
    ]);
    const single = events.map((event) => ({ ...event, bestOfN: [1] }) as RunEvent);
    expect(formatBeforeAfter(single, 'length')).not.toContain('best of');
    expect(summaryOf(single)).not.toContain('best of');
  });

  it('tells how many samples have no score, where there are any', () => {
    const unscored = evaluated(2, 'test', [4], [98, 102]);
    expect(formatBeforeAfter([...events, unscored], 'length')).toMatch(
      /^samples without a score +0 of 2 +1 of 2$/m,
    );
    const scoredNow = [{ ...unscored, iteration: -1 } as RunEvent, events[3]];
    expect(formatBeforeAfter(scoredNow, 'length')).toMatch(/^samples without a score +1 of 2 +0 of 2$/m);
    expect(formatBeforeAfter(events, 'length')).not.toContain('without a score');
    const { rows } = beforeAfterTable([...events, unscored]);
    expect(rows).toContainEqual(['samples without a score, held-out prompts', '0', '1', '+1']);
    expect(beforeAfterTable(events).rows.flat().join()).not.toContain('without a score');
  });

  it('shows the change that the interval is of, where a prompt has lost samples with a score', () => {
    // Each prompt gains .1; the bad one keeps one of its two samples.
    const means = [4, 4, 4, 4, 1];
    const before = evaluated(
      -1,
      'test',
      means.flatMap((mean) => [mean, mean]),
      Array<number>(10).fill(50),
    );
    const gained = means.map((mean) => mean + 0.1);
    const rewards = gained.flatMap((mean) => [mean, mean]).slice(0, -1);
    const after = { ...evaluated(0, 'test', rewards, Array<number>(10).fill(50)), promptMeans: gained };
    const shown = [before, after as typeof before];
    expect(formatBeforeAfter(shown, 'length')).toMatch(
      /^mean reward +3\.40 +3\.77 +\+0\.10 \(\+0\.10 to \+0\.10\)$/m,
    );
    expect(beforeAfterTable(shown).rows[0].slice(1)).toEqual(['3.400', '3.767', '+0.100 (+0.100 to +0.100)']);
    expect(summaryOf(shown)).toContain(
      'from 3.40 to 3.77 (+0.37 over samples, +0.10 over prompts; 95 % interval +0.10 to +0.10',
    );
  });

  it('shows the change of prompts also where they are too few for an interval', () => {
    const before = evaluated(-1, 'test', [4, 4, 1, 1], [50, 50, 50, 50]);
    const after = evaluated(0, 'test', [4.1, 4.1, 1.1], [50, 50, 50, 50]);
    const shown = [
      { ...before, promptMeans: [4, 1] },
      { ...after, promptMeans: [4.1, 1.1] },
    ];
    expect(formatBeforeAfter(shown, 'length')).toMatch(
      /^mean reward +2\.50 +3\.10 +\+0\.10 \(no interval\)$/m,
    );
    expect(beforeAfterTable(shown).rows[0].at(-1)).toBe('+0.100 (no interval)');
    expect(summaryOf(shown)).toContain('from 2.50 to 3.10 (+0.60 over samples, +0.10 over prompts).');
  });

  it('names the policy whose figures it tells, where a later one is not evaluated', () => {
    const saved = (iteration: number): RunEvent => ({ type: 'saved', iteration, directory: '', seconds: 1 });
    const which = 'with iteration 1, the last one that is evaluated';
    const whole = summaryOf([...events, saved(0), saved(1)]);
    expect(whole).not.toContain(which);
    expect(whole).not.toContain('Of all iterations');
    expect(whole).toContain('the mean reward, length, went from 2.50 to 4.25');
    expect(summaryOf([...events, saved(2)])).toContain(which);
  });

  it.each([
    ['all', 'its checkpoint is iter_0/dpo_model'],
    ['best', 'its checkpoint is iter_0/dpo_model'],
    ['last', 'its checkpoint was not kept (keepCheckpoints)'],
  ] as const)(
    'names the best iteration where it is not the last, keepCheckpoints %s',
    (keepCheckpoints, where) => {
      const saved = [0, 1].map((iteration): RunEvent => ({
        type: 'saved',
        iteration,
        directory: '',
        seconds: 1,
      }));
      const best = evaluated(0, 'test', [4, 4.5], [98, 102]);
      const last = evaluated(1, 'test', [3, 3], [90, 90]);
      expect(summaryOf([...events.slice(0, 2), best, last, ...saved], { keepCheckpoints })).toContain(
        `Of all iterations, iteration 0 has the best held-out reward, 4.25: ${where}.`,
      );
    },
  );

  it('is as wide as it may be', () => {
    const widths = formatBeforeAfter(events, 'length', 50)
      .split('\n')
      .map((line) => line.length);
    expect(Math.max(...widths)).toBeLessThanOrEqual(50);
  });

  it('has no even share for other rewards', () => {
    expect(formatBeforeAfter(events, 'length')).not.toContain('even');
  });

  it('is empty before the first training', () => {
    expect(formatBeforeAfter(events.slice(0, 2), 'length')).toBe('');
  });
});
