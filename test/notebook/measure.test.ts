import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { KERNEL, type MimeBundle } from '../../lib/notebook/notebook-kernel.js';
import { measure, transcriptOf } from '../../lib/notebook/measure.js';
import { UnscorableSample } from '../../lib/scoring/unscorable.js';

const sampleRateHz = 16000;
const tone = (hz: number) =>
  Float32Array.from(
    { length: sampleRateHz },
    (_, i) => 0.1 * Math.sin((2 * Math.PI * hz * i) / sampleRateHz),
  );
const recordings = [
  { name: 'low', samples: tone(200), sampleRateHz },
  { name: 'high', samples: tone(400), sampleRateHz },
];

let shown: MimeBundle[];
let button: AbortController;

beforeEach(() => {
  shown = [];
  button = new AbortController();
  const kernel = {
    display: (bundle: MimeBundle) => shown.push(bundle),
    interruptSignal: () => button.signal,
  };
  Object.assign(globalThis, { [KERNEL]: kernel });
  vi.stubEnv('NISQA_WEIGHTS', 'none.tar');
});

afterEach(() => {
  Reflect.deleteProperty(globalThis, KERNEL);
  vi.unstubAllEnvs();
});

it('shows a bar while it measures, then figures, and why there are none of a metric', async () => {
  const measured = await measure(recordings, ['silence', 'nisqa', 'estoi'], { reference: recordings[0] });
  expect(measured.map(({ metric }) => metric)).toEqual(['silence', 'nisqa', 'estoi']);
  const bars = shown.map((bundle) => /value="(\d+)" max="3"/.exec(bundle['text/html'] as string)?.[1]);
  expect(bars).toEqual(['0', '1', '2', undefined]);
  const text = shown.at(-1)!['text/plain'];
  expect(text).toMatch(/silence levelDb +−23\.010 +−23\.010/);
  expect(text).toMatch(/nisqa +all +not measured: .*none\.tar.* npm run weights -- nisqa/);
  // The button is that of later cells too.
  button.abort();
  expect(shown).toHaveLength(bars.length);
});

it('prints the figures outside a notebook, once', async () => {
  Reflect.deleteProperty(globalThis, KERNEL);
  const printed: string[] = [];
  const write = vi
    .spyOn(process.stdout, 'write')
    .mockImplementation((text) => printed.push(String(text)) > 0);
  await measure(recordings, ['silence', 'estoi'], { reference: recordings[0] }).finally(() =>
    write.mockRestore(),
  );
  expect(printed).toHaveLength(2);
  expect(printed[0]).toBe('measuring\n');
  expect(printed[1]).toMatch(/silence levelDb +−23\.010 +−23\.010/);
  expect(printed[1]).toMatch(/estoi/);
});

it('ends when the stop button is pressed', async () => {
  button.abort(new Error('pressed'));
  await expect(measure(recordings, ['silence', 'nisqa'])).rejects.toThrow('pressed');
  expect(shown.at(-1)!['text/plain']).not.toContain('nisqa');
});

it('takes its bar away when the stop button is pressed, before the metric under way has ended, and when it fails', async () => {
  const display = (bundle: MimeBundle) => {
    if (shown.push(bundle) === 1) queueMicrotask(() => button.abort(new Error('pressed')));
  };
  Object.assign(globalThis, { [KERNEL]: { display, interruptSignal: () => button.signal } });
  await expect(measure(recordings, ['silence', 'nisqa'])).rejects.toThrow('pressed');
  const html = shown.map((bundle) => bundle['text/html'] as string);
  expect(html[0]).toContain('<progress');
  for (const later of html.slice(1)) expect(later).toMatch(/^(?!.*<progress).*stopped/);
  expect(html[1]).not.toContain('silence');

  button = new AbortController();
  const fault = new TypeError('a fault');
  const broken = {
    ...recordings[0],
    get samples(): Float32Array<ArrayBuffer> {
      throw fault;
    },
  };
  await expect(measure([broken], ['silence'])).rejects.toBe(fault);
  expect(shown.at(-1)!['text/html']).toMatch(/^(?!.*<progress).*failed/);
});

it('finds the transcript of the first recording, where there is one', () => {
  expect(transcriptOf([{ metric: 'transcript', scores: ['low words', 'high words'] }])).toBe('low words');
  expect(transcriptOf([{ metric: 'transcript', scores: new Error('no recognizer') }])).toBeUndefined();
  expect(transcriptOf([{ metric: 'silence', scores: [] }])).toBeUndefined();
  const scores = [new UnscorableSample('it is silent'), 'words'];
  expect(transcriptOf([{ metric: 'transcript', scores }])).toBeUndefined();
});
