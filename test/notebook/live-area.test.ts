import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { RunEvent } from '../../lib/run/events.js';
import { KERNEL, type MimeBundle } from '../../lib/notebook/notebook-kernel.js';
import { openLiveArea } from '../../lib/notebook/live-area.js';
import { show } from '../../lib/notebook/show.js';
import { watch } from '../../lib/notebook/watch.js';
import { HOSTILE_INSTRUCTION } from '../view/fixture-run.js';

let shown: { bundle: MimeBundle; id?: string; replace?: boolean }[];
let button: AbortController;

beforeEach(() => {
  shown = [];
  button = new AbortController();
  Object.assign(globalThis, {
    [KERNEL]: {
      display: (bundle: MimeBundle, id?: string, replace?: boolean) => shown.push({ bundle, id, replace }),
      interruptSignal: () => button.signal,
    },
  });
});

afterEach(() => {
  Reflect.deleteProperty(globalThis, KERNEL);
  vi.useRealTimers();
});

const progress = (done: number): RunEvent => ({
  type: 'progress',
  iteration: 0,
  stage: 'sample',
  done,
  total: 1000,
});

it('is one output that is replaced, at most every 120 ms', () => {
  vi.useFakeTimers();
  const area = openLiveArea('starting');
  for (let done = 1; done <= 1000; done++) {
    area.show(progress(done));
    vi.advanceTimersByTime(1);
  }
  area.end();
  expect(shown.length).toBeLessThanOrEqual(2 + 1000 / 120 + 1);
  expect(shown.map(({ replace }) => replace)).toEqual([false, ...shown.slice(1).map(() => true)]);
  expect(new Set(shown.map(({ id }) => id)).size).toBe(1);
});

it('shows the bar of the job under way, and afterwards only what is done, not more than a few lines', () => {
  const area = openLiveArea('starting');
  area.show(progress(250));
  area.end();
  const lines = shown.map(({ bundle }) => bundle['text/html'] as string);
  expect(lines[0]).toContain('starting');
  expect(lines.at(-1)).not.toContain('<progress');

  const long = openLiveArea('starting');
  for (let i = 0; i < 50; i++) long.show({ type: 'saved', iteration: i, directory: `iter_${i}`, seconds: 1 });
  long.end();
  const text = shown.at(-1)!.bundle['text/plain'];
  expect(text.split('\n')).toHaveLength(11);
  expect(text).toContain('40 earlier lines in log_training.log');
});

it('escapes everything', () => {
  const area = openLiveArea(HOSTILE_INSTRUCTION);
  area.show({ type: 'notice', message: HOSTILE_INSTRUCTION });
  area.end(HOSTILE_INSTRUCTION);
  show({ columns: [{ title: HOSTILE_INSTRUCTION }], rows: [[HOSTILE_INSTRUCTION]] });
  for (const { bundle } of shown) expect(bundle['text/html']).not.toMatch(/<script|<b>bolder/);
});

it('watch passes the stop button on and tells that it was pressed', async () => {
  async function* work(signal: AbortSignal): AsyncGenerator<RunEvent> {
    yield progress(1);
    button.abort(new Error('pressed'));
    signal.throwIfAborted();
  }
  await expect(watch(work)).rejects.toThrow('pressed');
  expect(shown.at(-1)!.bundle['text/plain']).toContain('stopped');
});

it('shows the workers under the bar while they work, the first ten one by one', () => {
  vi.useFakeTimers();
  const workers = Array.from({ length: 200 }, (_, i) => ({
    ...{ name: `${HOSTILE_INSTRUCTION} ${i}.`, device: HOSTILE_INSTRUCTION, state: 'working' as const },
    ...{ items: i, seconds: 10 },
  }));
  const counts = { waiting: 41, running: 3, failed: 0, done: 12, total: 56, remainingSeconds: 38 };
  const area = openLiveArea('starting');
  vi.advanceTimersByTime(500);
  area.show(progress(250));
  vi.advanceTimersByTime(500);
  area.show({ type: 'fleet', workers, ...counts, trouble: HOSTILE_INSTRUCTION });
  vi.advanceTimersByTime(500);
  const { 'text/html': html, 'text/plain': text } = shown.at(-1)!.bundle;
  expect(html).toContain('and 190 more');
  expect((html as string).match(/<tr>/g)).toHaveLength(11);
  expect(html).not.toMatch(/<script|<b>bolder/);
  expect(text).toContain('200 workers: 41 items waiting, 3 running, 12 of 56 done, 1.2 items/s, 38 s left');
  expect(text).not.toContain(' 3.');
  area.end();
  expect(shown.at(-1)!.bundle['text/html']).not.toContain('<table');
});

it('keeps no event that only says how things stand', async () => {
  async function* work(): AsyncGenerator<RunEvent> {
    yield progress(1);
    yield { type: 'fleet', workers: [], waiting: 0, running: 0, failed: 0, done: 0, total: 1 };
    yield { type: 'saved', iteration: 0, directory: 'iter_0', seconds: 1 };
  }
  expect((await watch(work)).map(({ type }) => type)).toEqual(['saved']);
});
