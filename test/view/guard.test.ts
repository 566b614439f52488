import { rm, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { formatBeforeAfter } from '../../lib/cli/before-after.js';
import type { RunEvent } from '../../lib/run/events.js';
import { changeTable } from '../../lib/view/change-table.js';
import { guardCurves } from '../../lib/view/charts.js';
import { comparePairs } from '../../lib/run/paired-comparison.js';
import { guardChanges, guardTable } from '../../lib/view/guard-table.js';
import { writeReport } from '../../lib/view/report.js';
import { fixtureEvents, writeFixtureRun } from './fixture-run.js';

const WARNING = 'the reward rose by 1.00 on held-out prompts, but the DNSMOS OVRL fell by 0.50';

const guarded = (iteration: number, dnsmos: number, fidelity: number, warnings: string[] = []): RunEvent => ({
  type: 'guarded',
  iteration,
  guards: [
    { figure: 'dnsmos', mean: dnsmos, promptMeans: Array.from({ length: 6 }, () => dnsmos), missing: 0 },
    { figure: 'fidelity', mean: fidelity, promptMeans: [fidelity, null], missing: 2 },
    { figure: 'silence', mean: 0.1, promptMeans: [0.1, 0.1], missing: 0 },
  ],
  warnings,
});

const events: RunEvent[] = [
  { type: 'notice', message: 'no guard by <WER>' },
  guarded(-1, 3, 0.9),
  guarded(0, 2.5, 0.92, [WARNING]),
];

it('tabulates every figure for every policy with its change since the original', () => {
  expect(guardTable(events)).toMatchObject({
    columns: [{ title: 'guard' }, { title: 'original' }, { title: 'iteration 0' }],
    rows: [
      ['DNSMOS OVRL', '3.00', '2.50 (−0.50)'],
      ['edit fidelity', '90.0 %', '92.0 % (+2.0 points)'],
      ['silent frames', '10.0 %', '10.0 % (0.0 points)'],
    ],
  });
});

it('draws a panel for each figure with a limit: its means and the limit from the original', () => {
  const { data, layout } = guardCurves(events);
  expect(data.map((trace) => ('y' in trace ? trace.y : undefined))).toEqual([
    [3, 2.5],
    [2.9, 2.9],
    [90, 92],
    [85, 85],
    [10, 10],
    [expect.closeTo(15, 9), expect.closeTo(15, 9)],
  ]);
  expect(layout.annotations?.map(({ text }) => text)).toEqual([
    '<b>DNSMOS OVRL</b>',
    '<b>edit fidelity (%)</b>',
    '<b>silent frames (%)</b>',
  ]);
});

it('adds the guards to the table of before and after, with intervals where there are enough prompts', () => {
  const lines = formatBeforeAfter([...fixtureEvents(1), ...events], 'mos').split('\n');
  const cells = lines.map((line) => line.split(/ {2,}/));
  expect(cells).toContainEqual(['mean reward', '1.25', '2.25', '+1.00 (+1.00 to +1.00)']);
  expect(cells).toContainEqual(['DNSMOS OVRL', '3.00', '2.50', '−0.50 (−0.50 to −0.50)']);
  expect(cells).toContainEqual(['edit fidelity', '90.0 %', '92.0 %', '+2.0 points (no interval)']);
});

it('compares the last policy with the original one, whatever those between them did', () => {
  const twice = [...fixtureEvents(2), ...events, guarded(1, 3.5, 0.8)];
  const cells = formatBeforeAfter(twice, 'mos')
    .split('\n')
    .map((line) => line.split(/ {2,}/));
  expect(cells).toContainEqual(['DNSMOS OVRL', '3.00', '3.50', '+0.50 (+0.50 to +0.50)']);
  expect(guardChanges(twice).map(({ before, after }) => [before, after])).toEqual([
    [3, 3.5],
    [0.9, 0.8],
    [0.1, 0.1],
  ]);
  const figures = changeTable(twice).rows.map(([figure, change]) => [figure, change]);
  expect(figures).toContainEqual(['DNSMOS OVRL', '+0.50 (+0.50 to +0.50)']);
  expect(figures).toContainEqual(['edit fidelity', '−10.0 points (no interval)']);
});

it('says of the last policy what was measured of it alone: nothing where the run ended before its guards', () => {
  const killed = [...fixtureEvents(2), ...events];
  expect(guardChanges(killed)).toEqual([]);
  expect(changeTable(killed).rows.map(([figure]) => figure)).toEqual(['reward', 'length in tokens']);
  expect(formatBeforeAfter(killed, 'mos')).not.toContain('DNSMOS');
});

it('leaves prompts without a mean out of the interval', () => {
  const before = [1, 1, 1, 1, 1, null];
  expect(comparePairs(before, [2, 2, 2, 2, 2, 9])?.interval).toEqual({ mean: 1, low: 1, high: 1 });
  expect(comparePairs(before, [2, 2, 2, 2, null, 9])?.interval).toBeUndefined();
});

describe('the report', () => {
  it('shows chart, table, warnings and what is missing, and nothing of guards in a run without', async () => {
    const run = await writeFixtureRun({ events: [...fixtureEvents(1), ...events] });
    const without = await writeFixtureRun({ events: fixtureEvents(1) });
    const html = await readFile(await writeReport(run.outputDirectory), 'utf8');
    const plain = await readFile(await writeReport(without.outputDirectory), 'utf8');
    for (const { root } of [run, without]) await rm(root, { recursive: true });
    expect(html).toContain('<h2 id="guard">Guard against reward hacking</h2>');
    expect(html).toContain(`<p class="warning">iteration 0: ${WARNING}</p>`);
    expect(html).toContain('no guard by &lt;WER&gt;');
    expect(html).toContain('"chart-guards"');
    expect(plain).not.toContain('id="guard"');
  });
});
