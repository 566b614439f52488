/** What the report says of a run's pairs, of its warnings about itself, of where it stopped and of its best iteration. */
import { readFile, rm } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { describeEvent } from '../../lib/run/log.js';
import type { RunEvent } from '../../lib/run/events.js';
import { eventLine } from '../../lib/view/event-line.js';
import { pairLedgers, pairTable, skippedTable } from '../../lib/view/pair-table.js';
import { writeReport } from '../../lib/view/report.js';
import { evaluated, fixtureEvents, writeFixtureRun } from './fixture-run.js';

const roots: string[] = [];
afterEach(() => Promise.all(roots.splice(0).map((root) => rm(root, { recursive: true }))));

async function reportOf(events: RunEvent[]): Promise<string> {
  const run = await writeFixtureRun({ events });
  roots.push(run.root);
  return readFile(await writeReport(run.outputDirectory), 'utf8');
}

const paired: Extract<RunEvent, { type: 'paired' }> = {
  type: 'paired',
  iteration: 0,
  pairs: 2,
  skipped: 2,
  skippedReasons: ['prompt 1: all 3 samples rank the same', 'prompt 4: all 3 samples rank the same'],
  chosenRewards: [4, 3],
  rejectedRewards: [1, 1],
  dataFile: 'data_iter_0.json',
};
const counted: RunEvent = { ...paired, considered: 12, dropped: { minMargin: 3, tie: 7 } };
const warned: RunEvent = { type: 'warned', iteration: 1, about: 'endings', message: 'samples <do> not end' };
const stopped: RunEvent = { type: 'stopped', iteration: 1, step: 2, reason: 'trained 2 of 4 steps' };
const restored: RunEvent = { type: 'restored', iteration: 1, step: 1, reason: 'step 1 was the best' };

it('tabulates the pairs, and what became of all that could be', () => {
  // Pairs of iteration 0 are of the original policy: no policy is named.
  expect(pairTable([paired]).columns[0].title).toBe('sampled and paired in');
  expect(pairTable([paired]).rows).toEqual([['iteration 0', '2', '2', '3.500', '1.000', '2.500']]);
  expect(skippedTable([paired, { ...paired, iteration: 1, skippedReasons: [] }]).rows).toEqual([
    ['all 3 samples rank the same', '2', '0'],
  ]);
  expect(pairLedgers([paired])).toEqual([]);
  const [{ considered, parts }] = pairLedgers([counted]);
  expect(considered).toBe(12);
  expect(parts.map(({ name, count }) => [name, count])).toEqual([
    ['made', 2],
    ['tie', 7],
    ['minMargin', 3],
  ]);
});

it('draws them in the report, with warnings and stops at its head', async () => {
  const html = await reportOf([...fixtureEvents(2), counted, warned, stopped, restored]);
  expect(html).toContain('<h2 id="preference">Preference pairs</h2>');
  expect(html).toContain('iteration 0: 12 possible pairs');
  for (const [count, color] of [
    [2, '#0072b2'],
    [7, '#8c8c8c'],
    [3, '#f0e442'],
  ])
    expect(html).toContain(`style="flex:${count} 0 0;background:${color}"`);
  expect(html).toContain('<p class="warning">iteration 1: samples &lt;do&gt; not end.</p>');
  expect(html).toContain('<p class="warning">iteration 1: trained 2 of 4 steps.</p>');
  expect(html).toContain('<p class="warning">iteration 1: step 1 was the best.</p>');
  const plain = await reportOf(fixtureEvents(2));
  expect(plain).not.toContain('Preference pairs');
  expect(plain).not.toContain('class="warning"');
});

it('names the best iteration on held-out prompts where it is not the last', async () => {
  const sentence =
    'Of all iterations, iteration 0 has the best held-out reward, 2.25: its checkpoint is iter_0/dpo_model.';
  expect(await reportOf(fixtureEvents(2))).not.toContain('Of all iterations');
  const worse = evaluated(1, 'test', [1, 1], [10, 10]);
  const events = fixtureEvents(2).map((event) =>
    event.type === 'evaluated' && event.iteration === 1 && event.split === 'test' ? worse : event,
  );
  expect(await reportOf(events)).toContain(sentence);
});

it('is logged and printed in the same words', () => {
  expect(describeEvent(counted).map(({ level, message }) => `${level} ${message}`)).toContain(
    'INFO Of 12 possible pairs 2 were made; 7 rank the same, 3 have too close rewards',
  );
  expect(describeEvent(paired).some(({ message }) => message.startsWith('Of '))).toBe(false);
  expect(describeEvent(warned)).toEqual([{ level: 'WARNING', message: 'samples <do> not end' }]);
  expect(describeEvent(stopped)).toEqual([{ level: 'INFO', message: 'trained 2 of 4 steps' }]);
  expect(eventLine(counted)).toMatch(/^ {2}2 pairs of 12 possible in data_iter_0\.json/);
  expect(eventLine(warned)).toBe('  WARNING: samples <do> not end');
  expect(eventLine(stopped)).toBe('  trained 2 of 4 steps');
  expect(describeEvent(restored)).toEqual([{ level: 'INFO', message: 'step 1 was the best' }]);
  expect(eventLine(restored)).toBe('  step 1 was the best');
});
