import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { readRun } from '../../lib/run/run-files.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { KERNEL, type MimeBundle } from '../../lib/notebook/notebook-kernel.js';
import { openRun, resumeRun, type LiveRun } from '../../lib/notebook/live-run.js';
import { scoreCheckpoint } from '../../lib/notebook/checkpoints.js';
import { writeTinyModel } from '../support/tiny-model.js';

const root = mkdtempSync(join(tmpdir(), 'speech-dpo-live-run-'));
const parameters = parseParameters({
  model: join(root, 'model'),
  iterations: 2,
  trainPrompts: 2,
  testPrompts: 1,
  sampleSize: 3,
  numEval: 3,
  maxNewTokens: 30,
  audioPrompts: 0,
  epochs: 2,
});

let button: AbortController;
let shown: string;

beforeAll(() => writeTinyModel(join(root, 'model')));

beforeEach(() => {
  const display = (bundle: MimeBundle) => {
    shown = bundle['text/plain'];
  };
  Object.assign(globalThis, { [KERNEL]: { display, interruptSignal: () => button.signal } });
});

afterAll(() => {
  Reflect.deleteProperty(globalThis, KERNEL);
  rmSync(root, { recursive: true });
});

/** Does a cell's work; the stop button is pressed as soon as `isTime`. */
async function runCell(work: () => Promise<void>, isTime = () => false): Promise<void> {
  button = new AbortController();
  const { signal } = button;
  const press = () => {
    if (isTime()) button.abort(new Error('pressed'));
    else if (!ended) setImmediate(press);
  };
  let ended = false;
  setImmediate(press);
  await work().finally(() => (ended = true));
  expect(signal.aborted).toBe(false);
}

const isSaved = ({ events }: LiveRun) => events.some(({ type }) => type === 'saved');

it('goes on where the stop button left it, when the cell is run again', async () => {
  button = new AbortController();
  const run = await openRun(parameters, { root });
  await expect(
    runCell(
      () => run.evaluateOriginal(),
      () => true,
    ),
  ).rejects.toThrow('pressed');
  expect(shown).toContain(`stopped; to go on: this cell again, or resumeRun('${run.name}')`);
  await runCell(() => run.evaluateOriginal());
  expect(run.events.at(-1)).toMatchObject({ type: 'evaluated', iteration: -1, split: 'test' });

  await expect(
    runCell(
      () => run.iterate(),
      () => isSaved(run),
    ),
  ).rejects.toThrow('pressed');
  await runCell(() => run.iterate());
  await runCell(() => run.iterate());
  const evaluated = run.events.flatMap((event) =>
    event.type === 'evaluated' ? `${event.iteration} ${event.split}` : [],
  );
  expect(evaluated).toEqual(['-1 train', '-1 test', '0 train', '0 test', '1 train', '1 test']);
  const { record } = await readRun(run.modelDirectory);
  expect(record.state).toBe('finished');
  expect(record.device).toMatchObject({ name: 'cpu', reason: 'as the run began' });
  await expect(openRun(parameters, { root, device: 'gpu' as 'cpu' })).rejects.toThrow('the device is "gpu"');
});

it('goes on after a restart of the kernel', async () => {
  button = new AbortController();
  const first = await openRun(parameters, { root });
  await expect(
    runCell(
      () => first.iterate(),
      () => isSaved(first),
    ),
  ).rejects.toThrow('pressed');
  const run = await resumeRun(first.name, { root, device: 'cpu' });
  await runCell(() => run.iterate());
  const { device } = (await readRun(run.modelDirectory)).record;
  expect(device).toMatchObject({ name: 'cpu', reason: 'asked for' });
  expect(run.outputDirectory).toBe(first.outputDirectory);
  expect(run.events.at(-1)!.type).toBe('finished');
  await expect(resumeRun('0101-0000', { root })).rejects.toThrow('0101-0000');
});

it('asks for the workers that it is given, or else that the environment names', async () => {
  const isNone = (address: string) => `"${address}" is no address of a queue`;
  button = new AbortController();
  vi.stubEnv('SPEECH_DPO_WORKERS', 'of-environment');
  try {
    await expect(openRun(parameters, { root, workers: 'given' })).rejects.toThrow(isNone('given'));
    await expect(openRun(parameters, { root })).rejects.toThrow(isNone('of-environment'));
    const run = await openRun(parameters, { root, workers: null });
    await expect(
      runCell(
        () => run.iterate(),
        () => isSaved(run),
      ),
    ).rejects.toThrow('pressed');
    await expect(resumeRun(run.name, { root })).rejects.toThrow(isNone('of-environment'));
    button = new AbortController();
    const scoring = { reward: 'even-token', indices: '0', samples: 1 } as const;
    const checkpoint = join(run.modelDirectory, 'iter_0');
    await expect(scoreCheckpoint(checkpoint, scoring, root)).rejects.toThrow(isNone('of-environment'));
    await expect(scoreCheckpoint(checkpoint, { ...scoring, workers: 'given' }, root)).rejects.toThrow(
      isNone('given'),
    );
    expect(await scoreCheckpoint(checkpoint, { ...scoring, workers: null }, root)).not.toEqual([]);
    expect((await readRun(run.modelDirectory)).record).not.toHaveProperty('workers');
  } finally {
    vi.unstubAllEnvs();
  }
});

it('counts the time that is worked, not the hours between two cells', async () => {
  const realNow = performance.now.bind(performance);
  let hours = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => realNow() + hours * 3_600_000);
  try {
    const run = await openRun(parameters, { root });
    hours = 1;
    await runCell(() => run.evaluateOriginal());
    hours = 2;
    await runCell(() => run.iterate());
    const { record } = await readRun(run.modelDirectory);
    expect(record.timings.map(({ event }) => event)).toContain('finished');
    for (const { event, seconds } of record.timings) {
      expect(seconds, event).toBeGreaterThan(0);
      expect(seconds, event).toBeLessThan(3600);
    }
  } finally {
    clock.mockRestore();
  }
});
