import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { createDisplay } from '../../lib/cli/render.js';
import type { FleetStatus, RunEvent } from '../../lib/run/events.js';
import { summarize } from '../../lib/run/statistics.js';

const metrics = {
  loss: 0.5,
  'rewards/chosen': 0.3,
  'rewards/rejected': -0.2,
  'rewards/margins': 0.5,
  'rewards/accuracies': 1,
  'logps/chosen': -10,
  'logps/rejected': -11,
};

const events: RunEvent[] = [
  { type: 'progress', iteration: -1, stage: 'evaluate', split: 'test', done: 1, total: 2 },
  {
    type: 'evaluated',
    iteration: -1,
    split: 'test',
    rewards: [2, 3],
    promptMeans: [2, 3],
    lengths: [90, 110],
    statistics: summarize([2, 3]),
    droppedReasons: [],
    seconds: 4,
  },
  { type: 'sampled', iteration: 0, samples: 20, tokens: 2000, seconds: 5 },
  {
    type: 'scored',
    iteration: 0,
    scored: 18,
    dropped: 2,
    droppedReasons: ['2 samples: it is empty'],
    averageReward: 2.5,
    seconds: 0,
  },
  {
    type: 'paired',
    iteration: 0,
    pairs: 1,
    skipped: 1,
    skippedReasons: ['prompt 1: all 10 samples rank the same'],
    chosenRewards: [3],
    rejectedRewards: [2],
    dataFile: 'data_iter_0.json',
  },
  { type: 'step', iteration: 0, epoch: 0, step: 1, steps: 2, metrics },
  { type: 'step', iteration: 0, epoch: 0, step: 2, steps: 2, metrics },
  { type: 'saved', iteration: 0, directory: 'iter_0/dpo_model', seconds: 1 },
  { type: 'finished', seconds: 200 },
];

function show(isTTY: boolean, columns = 100): string {
  const stream = Object.assign(new PassThrough(), { isTTY, columns }) as unknown as NodeJS.WriteStream;
  const display = createDisplay(stream);
  for (const event of events) display.show(event);
  display.stop();
  return String((stream as unknown as PassThrough).read());
}

it('writes one plain line for each result where there is no terminal', () => {
  expect(show(false)).toBe(
    [
      'original policy, held-out prompts: reward 2.50 (p25 to p75: 2.25 to 2.75), 100 tokens, 4.0 s',
      'iteration 0',
      '  sampled 20 completions, 2,000 tokens, 5.0 s',
      '  scored, mean reward 2.50, dropped 2 without a score',
      '  dropped 2 samples, each for this reason: it is empty',
      '  1 pair in data_iter_0.json',
      '  skipped prompt 1: all 10 samples rank the same',
      '  trained 2 steps, loss 0.5000, margin 0.500',
      '  saved iter_0/dpo_model',
      'finished in 3 min 20 s',
      '',
    ].join('\n'),
  );
});

it('gives no commands to a terminal that stand in an event', () => {
  const stream = Object.assign(new PassThrough(), { isTTY: false }) as unknown as NodeJS.WriteStream;
  createDisplay(stream).show({ type: 'notice', message: 'it says \x1b[2Jno' });
  expect(String((stream as unknown as PassThrough).read())).toBe('it says \ufffd[2Jno\n');
});

it('adds a bar for the stage under way on a terminal', () => {
  const text = show(true);
  expect(text).toMatch(/evaluating on held-out prompts.* 1\/2/);
  expect(text).toMatch(/iteration 0: training.* 1\/2/);
  expect(text).toContain('  saved iter_0/dpo_model\n');
});

/** The lower line of a terminal at every moment of what is written to it; what does not fit is lost at its right edge. */
function screensOf(written: string, columns: number): string[] {
  let line = '';
  return written.split(/(?=\x1b)/).map((piece) => {
    const [, code, text] = /^(\x1b(?:\[\??[\d;]*[A-Za-z]|[78]))?(.*)$/s.exec(piece)!;
    if (code === '\x1b[1G' || code === '\x1b[2K') line = '';
    // Clears from the cursor on, which never leaves the last column.
    if (code === '\x1b[0K') line = line.slice(0, Math.min(line.length, columns - 1));
    line = (line + text).split('\n').at(-1)!.slice(0, columns);
    return line;
  });
}

it.each([40, 80, 120, 200])('shows whole figures in a terminal of %i columns', (columns) => {
  const screens = screensOf(show(true, columns), columns);
  const bars = screens.filter((screen) => screen.includes('training') && screen.includes('/2'));
  expect(bars.length).toBeGreaterThan(0);
  const figures = bars.map((bar) => bar.replace(/^.*?(?=\d\/2)/, ''));
  for (const figure of figures) {
    expect(figure).toMatch(
      /^[12]\/2( [\d,.]+\/s)?((, | )\d+\.\d s left)?((, | )loss 0\.500)?(, reward 2\.50)?$/,
    );
  }
  if (columns >= 80) for (const figure of figures) expect(figure).toContain('loss 0.500');
  if (columns >= 120) for (const figure of figures) expect(figure).toContain('reward 2.50');
});

it('takes a terminal that does not tell its width for one of 80 columns', () => {
  for (const screen of screensOf(show(true, 0), 1000)) expect(screen.length).toBeLessThanOrEqual(80);
});

describe('workers', () => {
  const fleet = (given: Partial<FleetStatus> = {}): RunEvent => ({
    ...{ type: 'fleet', waiting: 5, running: 1, failed: 0, done: 2, total: 8 },
    workers: [
      { name: 'node\x1b[31m', device: 'the CPU', state: 'working', items: 2, seconds: 4 },
      { name: 'gpu', device: 'CUDA', state: 'refuses', refusal: 'it computes on cuda', items: 0, seconds: 0 },
    ],
    ...given,
  });
  const sampling: RunEvent = { type: 'progress', iteration: 0, stage: 'sample', done: 1, total: 8 };

  /** What is written of an event every second. */
  function showEach(isTTY: boolean, shown: readonly RunEvent[]): string {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const stream = Object.assign(new PassThrough(), { isTTY, columns: 120 });
      const display = createDisplay(stream as unknown as NodeJS.WriteStream);
      for (const event of shown) {
        display.show(event);
        vi.advanceTimersByTime(1000);
      }
      display.stop();
      return String(stream.read());
    } finally {
      vi.useRealTimers();
    }
  }

  it('are told of only when something changes, where there is no terminal', () => {
    const minute = Array.from({ length: 60 }, () => fleet());
    expect(showEach(false, [sampling, ...minute, ...minute.map(() => fleet({ trouble: 'no answer' }))])).toBe(
      [
        'worker node\ufffd[31m takes part, on the CPU',
        'worker gpu takes no part: it computes on cuda',
        'no answer',
        '',
      ].join('\n'),
    );
  });

  it('stand in the bar while they work', () => {
    const working = fleet({ remainingSeconds: 90 });
    const text = showEach(true, [sampling, ...Array.from({ length: 5 }, () => working)]);
    const shown = screensOf(text, 120).find((screen) => screen.includes('worker'));
    expect(shown).toMatch(/^iteration 0: sampling .* 1\/8 .*1 min 30 s left, 1 worker$/);
    expect(text).toContain('worker gpu takes no part: it computes on cuda\n');
    const training = showEach(true, [sampling, working, events[5]]);
    expect(screensOf(training, 120).filter((screen) => /training.*1\/2/.test(screen))).not.toEqual([]);
    expect(screensOf(training, 120).filter((screen) => /training.*worker/.test(screen))).toEqual([]);
  });
});
