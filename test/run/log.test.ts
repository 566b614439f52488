import { describe, expect, it } from 'vitest';
import type { GuardSummary, RunEvent } from '../../lib/run/events.js';
import { describeEvent, describeParameters, formatLogLine } from '../../lib/run/log.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { summarize } from '../../lib/run/statistics.js';

it("writes lines as Python's logging does", () => {
  const line = formatLogLine(new Date(2024, 5, 1, 12, 0, 0, 7), 'INFO', 'beta: 0.1');
  expect(line).toBe('2024-06-01 12:00:00,007 - INFO - beta: 0.1');
  const reason = 'it says: \x1b]0;title\x07\x9b2J\r gone\n\tat grün';
  expect(formatLogLine(new Date(), 'ERROR', reason)).toMatch(
    / - ERROR - it says: \ufffd\]0;title\ufffd\ufffd2J\ufffd gone\n\tat grün$/,
  );
});

it('logs every parameter', () => {
  const parameters = parseParameters({});
  const lines = describeParameters('0601-1200', parameters);
  expect(lines[0]).toBe('Parameters:');
  expect(lines.at(-1)).toBe('timestep: 0601-1200');
  for (const [name, value] of Object.entries(parameters)) expect(lines).toContain(`${name}: ${value}`);
});

describe('describeEvent', () => {
  it('tells the original from trained models', () => {
    const evaluated = {
      type: 'evaluated',
      split: 'test',
      rewards: [1, 2],
      promptMeans: [1, 2],
      lengths: [10, 12],
      statistics: summarize([1, 2]),
      droppedReasons: ['1 sample: it is silent'],
      seconds: 1,
    } satisfies Omit<Extract<RunEvent, { type: 'evaluated' }>, 'iteration'>;
    expect(describeEvent({ ...evaluated, iteration: -1 })[1]).toEqual({
      level: 'INFO',
      message: 'Original model rewards on testing set: [1,2]',
    });
    expect(describeEvent({ ...evaluated, iteration: 2 }).at(-1)).toEqual({
      level: 'WARNING',
      message: 'Dropped 1 sample: it is silent',
    });
    expect(describeEvent({ ...evaluated, iteration: 2 })[0].message).toMatch(
      /^Trained model iteration 2 metrics on testing set: .*"mean":1.5/,
    );
  });

  it('logs what the guards measured, and warns', () => {
    const guards = [
      { figure: 'dnsmos', mean: 2.5, promptMeans: [2.4, 2.6], missing: 0 },
      { figure: 'wer', mean: 0.25, promptMeans: [0.25, null], missing: 3 },
    ] satisfies GuardSummary[];
    const warnings = ['the reward rose'];
    const lines = describeEvent({
      type: 'guarded',
      iteration: 1,
      guards,
      warnings,
    });
    expect(lines).toEqual([
      { level: 'INFO', message: 'Trained model iteration 1 guard dnsmos on testing set: 2.5' },
      {
        level: 'INFO',
        message:
          'Trained model iteration 1 guard wer on testing set: 0.25 (without 3 samples that could not be measured)',
      },
      { level: 'WARNING', message: 'the reward rose' },
    ]);
  });

  it('warns of skipped prompts', () => {
    const lines = describeEvent({
      type: 'paired',
      iteration: 0,
      pairs: 1,
      skipped: 1,
      skippedReasons: ['prompt 3: all 10 samples rank the same'],
      chosenRewards: [4],
      rejectedRewards: [1],
      dataFile: 'data_iter_0.json',
    });
    expect(lines[0]).toEqual({
      level: 'WARNING',
      message: 'Skipped prompt 3: all 10 samples rank the same',
    });
  });

  it('is silent about progress', () => {
    const progress = { type: 'progress', iteration: 0, stage: 'sample', done: 1, total: 2 } as const;
    expect(describeEvent(progress)).toEqual([]);
  });
});
