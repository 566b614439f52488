import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { RunEvent } from '../../lib/run/events.js';
import { summarize } from '../../lib/run/statistics.js';
import { fileLinks } from '../../lib/notebook/links.js';
import { KERNEL, printNotice, type MimeBundle } from '../../lib/notebook/notebook-kernel.js';
import { chooseSettings } from '../../lib/notebook/settings.js';
import { openLiveArea } from '../../lib/notebook/live-area.js';
import { show } from '../../lib/notebook/show.js';
import { watch } from '../../lib/notebook/watch.js';
import { temporaryFolder } from '../support/temporary-folder.js';
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
  const drawn = shown.length;
  vi.advanceTimersByTime(1000);
  expect(shown).toHaveLength(drawn);
  expect(drawn).toBeLessThanOrEqual(2 + 1000 / 120 + 1);
  expect(shown.map(({ replace }) => replace)).toEqual([false, ...shown.slice(1).map(() => true)]);
  expect(new Set(shown.map(({ id }) => id)).size).toBe(1);
});

it('shows the bar of the job under way, and afterwards only what is done, not more than a few lines', () => {
  const area = openLiveArea('starting');
  area.show(progress(250));
  area.end();
  const lines = shown.map(({ bundle }) => bundle['text/html'] as string);
  expect(lines[0]).toContain('starting');
  expect(shown[0].bundle['text/plain']).toBe('starting');
  expect(lines.at(-1)).not.toContain('<progress');

  const long = openLiveArea('starting');
  for (let i = 0; i < 50; i++) long.show({ type: 'saved', iteration: i, directory: `iter_${i}`, seconds: 1 });
  long.end();
  const text = shown.at(-1)!.bundle['text/plain'];
  expect(text.split('\n')).toHaveLength(11);
  expect(text).toContain('40 earlier lines in log_training.log');
});

it('draws reward and loss as they come, and keeps them as pictures', () => {
  vi.useFakeTimers();
  const evaluated = (iteration: number, mean: number): RunEvent => ({
    ...{ type: 'evaluated', iteration, split: 'test', rewards: [mean], promptMeans: [mean], lengths: [1] },
    ...{ statistics: summarize([mean]), droppedReasons: [], seconds: 1 },
  });
  const metrics = { loss: 0.4 } as Extract<RunEvent, { type: 'step' }>['metrics'];
  const area = openLiveArea('starting', [evaluated(-1, 2.25)]);
  vi.advanceTimersByTime(500);
  expect(shown.at(-1)!.bundle['text/html']).not.toContain('<svg');
  for (let step = 1; step <= 1000; step++) {
    const told = step === 7 ? { ...metrics, loss: 0.9 } : metrics;
    area.show({ type: 'step', iteration: 0, epoch: 0, step, steps: 1000, metrics: told });
  }
  vi.advanceTimersByTime(500);
  // A single value stands beside its point.
  const single = shown.at(-1)!.bundle['text/html'] as string;
  const pointY = Number(/<circle [^>]*cy="([^"]*)"/.exec(single)![1]);
  const labelY = Number(/y="([^"]*)" text-anchor="end">2\.250</.exec(single)![1]);
  expect(Math.abs(labelY - pointY)).toBeLessThan(6);
  expect(single).not.toContain('NaN');
  area.show({ ...evaluated(0, 9), split: 'train' } as RunEvent);
  area.show(evaluated(0, 3.5));
  vi.advanceTimersByTime(500);
  const drawn = shown.at(-1)!.bundle['text/html'] as string;
  expect(drawn).toContain('mean held-out reward: 3.500');
  expect(drawn).toContain('loss: 0.400');
  expect(drawn).toContain('>iteration 0<');
  expect(drawn.match(/<circle/g)).toHaveLength(2);
  // A thousand steps are a few points.
  const [, points] = [...drawn.matchAll(/points="([^"]*)"/g)].map(([, text]) => text.split(' '));
  expect(points.length).toBeGreaterThan(50);
  expect(points.length).toBeLessThanOrEqual(140);
  // What begins anew tells all of it again.
  area.show({ type: 'started', run: '0601-1200', outputDirectory: 'output', modelDirectory: 'model' });
  for (const mean of [2.25, 3.5, 3]) area.show(evaluated(-1, mean));
  vi.advanceTimersByTime(500);
  const anew = shown.at(-1)!.bundle['text/html'] as string;
  expect(anew.match(/<circle/g)).toHaveLength(3);
  expect(anew).not.toContain('loss: 0.400');
  area.show({ type: 'step', iteration: 0, epoch: 0, step: 1, steps: 2, metrics });
  area.show({ type: 'step', iteration: 0, epoch: 0, step: 2, steps: 2, metrics });
  area.end();
  const kept = shown.at(-1)!.bundle['text/html'] as string;
  expect(kept).not.toContain('<svg');
  expect(kept.match(/<img [^>]*alt="[^"]+" src="data:image\/svg\+xml/g)).toHaveLength(2);
});

it("links a run's files, and names its folders, which JupyterLab cannot open", () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'a #1 & 2.html'), '');
  const { html, text } = fileLinks({ text: 'Report & sound:' }, join(folder, 'a #1 & 2.html'), folder);
  expect(html).toMatch(
    /Report &amp; sound: <a href="[^"]*a%20%231%20%26%202\.html"[^>]*>[^<]*a #1 &amp; 2\.html<\/a> [^<]*<\/div>$/,
  );
  expect(text).toMatch(/^Report & sound: .*a #1 & 2\.html /);
});

it('a notice is no error, and quick mode says that it shows mechanics only', () => {
  const errors = vi.spyOn(process.stderr, 'write');
  printNotice(HOSTILE_INSTRUCTION);
  chooseSettings({ samples: [1, 2, 3] }, {}, { SPEECH_DPO_MODE: 'quick' });
  chooseSettings({ samples: [1, 2, 3] }, {}, {});
  expect(errors).not.toHaveBeenCalled();
  errors.mockRestore();
  expect(shown).toHaveLength(2);
  expect(shown[0].bundle['text/html']).not.toMatch(/<script|<b>bolder/);
  expect(shown[1].bundle['text/plain']).toMatch(/^Quick mode: .* mechanics only/);
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
  area.show({ type: 'fleet', workers: workers.slice(0, 10), ...counts });
  vi.advanceTimersByTime(500);
  expect(shown.at(-1)!.bundle['text/html']).not.toContain('more</div>');
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
