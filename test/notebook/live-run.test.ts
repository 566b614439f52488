import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { listRuns } from '../../lib/run/find-run.js';
import { isBeingWritten } from '../../lib/run/lock.js';
import { readRun } from '../../lib/run/run-files.js';
import { parseParameters, type Parameters } from '../../lib/run/parameters.js';
import { KERNEL, type MimeBundle } from '../../lib/notebook/notebook-kernel.js';
import { openRecorded, openRun, resumeRun, type LiveRun } from '../../lib/notebook/live-run.js';
import { findRun, scoreCheckpoint } from '../../lib/notebook/checkpoints.js';
import { compare } from '../../lib/notebook/compare.js';
import type { Guard } from '../../lib/reward/guard.js';
import { loadReward } from '../../lib/reward/load.js';
import { rewardOf } from '../../lib/reward/reward.js';
import { writeTinyModel } from '../support/tiny-model.js';
import { writeFixtureRun } from '../view/fixture-run.js';

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
/** Everything in its order. */
let all: string[];

beforeAll(() => writeTinyModel(join(root, 'model')));

beforeEach(() => {
  all = [];
  const display = (bundle: MimeBundle) => {
    shown = bundle['text/plain'];
    all.push(shown);
  };
  Object.assign(globalThis, { [KERNEL]: { display, interruptSignal: () => button.signal } });
});

afterAll(() => {
  Reflect.deleteProperty(globalThis, KERNEL);
  rmSync(root, { recursive: true });
});

/** As the kernel does: what begins after the stop has a signal of its own. */
function pressStop(): void {
  const pressed = button;
  button = new AbortController();
  pressed.abort(new Error('pressed'));
}

/** Does a cell's work; the stop button is pressed as soon as `isTime`. */
async function runCell(work: () => Promise<void>, isTime = () => false): Promise<void> {
  button = new AbortController();
  const { signal } = button;
  const press = () => {
    if (isTime()) pressStop();
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
  await openRecorded(run.name, { root });
  expect(all.join('\n')).toMatch(/It is running: 0 of 2 iterations .*; a process is writing it\.$/m);
  await expect(
    runCell(
      () => run.evaluateOriginal(),
      () => true,
    ),
  ).rejects.toThrow('pressed');
  expect(shown).toContain(`stopped; to go on: this cell again, or openRecorded('${run.name}')`);
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
  expect(shown).toContain(`to go on with it: await run.iterate({ iterations: 4 })`);
  await opensAsRecorded(run);
  await expect(openRun(parameters, { root, device: 'gpu' as 'cpu' })).rejects.toThrow('the device is "gpu"');
});

it('a call waits for one that is not awaited, and the stop button ends both', async () => {
  button = new AbortController();
  const run = await openRun(parameters, { root });
  const first = run.iterate();
  const second = run.iterate();
  const third = run.evaluateOriginal();
  expect(all.filter((line) => line.startsWith('The run is under way in another call'))).toHaveLength(2);
  const outcomes = Promise.allSettled([first, second, third]);
  pressStop();
  const rejected = { status: 'rejected', reason: new Error('pressed') };
  expect(await outcomes).toEqual([rejected, rejected, rejected]);
  expect(isSaved(run)).toBe(false);

  const told = all.length;
  await Promise.all([run.iterate(), run.evaluateOriginal(), run.iterate({ iterations: 3 })]);
  expect(all.slice(told).some((line) => line.startsWith('The run is under way'))).toBe(true);
  expect(run.events.filter(({ type }) => type === 'saved')).toHaveLength(3);
  const before = all.length;
  await run.evaluateOriginal();
  expect(all).toHaveLength(before);
});

it('a run whose progress cannot be shown is not left open: the same cell goes on with it', async () => {
  button = new AbortController();
  const run = await openRun(parameters, { root });
  const kernel = { interruptSignal: () => button.signal };
  let pictures = 0;
  const display = ({ 'text/plain': text }: MimeBundle) => {
    shown = text;
    // The first one after that of the beginning.
    if (++pictures === 2) throw new Error('the page is gone');
  };
  Object.assign(globalThis, { [KERNEL]: { ...kernel, display } });
  await expect(run.iterate()).rejects.toThrow('the page is gone');
  expect(shown).toContain('failed; to go on: this cell again');
  expect(await isBeingWritten(run.modelDirectory)).toBe(false);
  await run.iterate();
  expect(run.events.at(-1)!.type).toBe('finished');
});

it('a run that another variable of the notebook goes on with says so, and is free once that has ended', async () => {
  button = new AbortController();
  const run = await openRun(parameters, { root });
  await run.evaluateOriginal();
  const again = await openRecorded(run.name, { root });
  await expect(again.iterate()).rejects.toThrow(
    /which is this one, is writing there .*: wait for it, or go on with what it opened first; in a notebook, a restart of the kernel ends it$/,
  );
  await run.iterate();
  await again.iterate();
  expect(again.events.at(-1)!.type).toBe('finished');
});

it('names no reward of a run that trained on given pairs, and offers no more iterations of it', async () => {
  const { root, modelDirectory, outputDirectory } = await writeFixtureRun({ record: { reward: undefined } });
  await openRecorded('0601-1200', { root });
  expect(all[0]).toMatch(
    /^Run 0601-1200 is read from disk, nothing is computed\. It is finished: 2 of 2 iterations on given pairs, begun [^;]+ UTC\.$/,
  );
  const checkpoint = join(modelDirectory, 'iter_0');
  mkdirSync(join(checkpoint, 'dpo_model'), { recursive: true });
  writeFileSync(join(outputDirectory, 'data_iter_0.json'), '');
  await findRun('0601-1200', root);
  expect(all.join('\n')).toContain('It was trained on given pairs: to score it, name a reward.');
  const scoring = { reward: '', indices: '0', samples: 1 };
  await expect(scoreCheckpoint(checkpoint, scoring, root)).rejects.toThrow(
    `${checkpoint} was trained on given pairs and has no reward: give the name of a built-in one as reward, for example mos, or one of your own`,
  );
});

/** On another day: the finished run is read, shown, and gets one more iteration. */
async function opensAsRecorded(run: LiveRun): Promise<void> {
  all = [];
  const again = await openRecorded(`output/${run.name}`, { root, device: 'cpu' });
  expect(all[0]).toMatch(
    new RegExp(`^Run ${run.name} is read from disk, nothing is computed. It is finished: 2 of 2 iterations`),
  );
  expect(all[1]).toMatch(/model_output\/.*\/log_training\.log$/);
  expect(again.events.map(({ type }) => type)).toEqual(run.events.slice(1).map(({ type }) => type));
  expect(again.rewardLabel).toBe(run.rewardLabel);
  expect(again.loss).toMatchObject({ name: 'sigmoid', unit: 'nats' });
  const before = all.length;
  await runCell(() => again.evaluateOriginal());
  expect(all).toHaveLength(before);
  await runCell(() => again.iterate());
  expect(shown).toContain('this run is finished; to go on with it: await run.iterate({ iterations: 4 })');
  const told = [...again.events];
  await expect(runCell(() => again.iterate({ iterations: 1 }))).rejects.toThrow('not lowered to 1');
  expect(again.events).toEqual(told);
  await runCell(() => again.iterate({ iterations: 3 }));
  expect(again.events.filter(({ type }) => type === 'saved')).toHaveLength(3);
  expect(shown).toContain(`await run.iterate({ iterations: 6 }); on another day, first:`);
  expect((await readRun(run.modelDirectory)).record).toMatchObject({
    state: 'finished',
    parameters: { iterations: 3 },
    device: { reason: 'asked for' },
  });

  const notedBy = async (options: { workers?: string } = {}) => {
    const finished = await openRecorded(run.name, { root, ...options });
    await runCell(() => finished.iterate());
    return shown.split('\n').find((line) => line.startsWith('this run is finished'));
  };
  expect(await notedBy({ workers: 'redis://there' })).toMatch(/openRecorded\('.+', \{ workers \}\)$/);
  vi.stubEnv('SPEECH_DPO_WORKERS', 'redis://there');
  expect(await notedBy()).toMatch(/openRecorded\('[^']+'\)$/);
  vi.unstubAllEnvs();
  // What a guard has ended gets no more iterations.
  const stopped = { type: 'stopped', iteration: 2, reason: 'a guard warns' };
  appendFileSync(join(run.modelDirectory, 'metrics.jsonl'), JSON.stringify(stopped) + '\n');
  expect(await notedBy()).toBe('this run is finished');
  expect(all.join('\n')).toMatch(/It is finished: 3 of 3 iterations .*; a guard has ended it\.$/m);
}

it('says how a run goes on that has failed, and not of one that would fail again', async () => {
  button = new AbortController();
  let isBroken = false;
  const reward = rewardOf('brittle', 'tokens', ({ codes }) => {
    if (isBroken) throw new Error('it is out of order');
    return codes.length;
  });
  const run = await openRun({ ...parameters, learningRate: 1e30 }, { root, reward });
  isBroken = true;
  await expect(runCell(() => run.evaluateOriginal())).rejects.toThrow('it is out of order');
  expect(shown).toContain(`failed; to go on: this cell again, or openRecorded('${run.name}', { reward })`);
  isBroken = false;
  await expect(runCell(() => run.iterate())).rejects.toThrow('Trained the same way it diverges again');
  expect(shown).toMatch(/^failed$/m);
});

it('evaluates the original policy up to what its guards measure, whoever names them', async () => {
  button = new AbortController();
  const guard: Guard = { figures: ['dnsmos'], measure: () => Promise.resolve({ dnsmos: 1 }) };
  const lastOf = async (changes: Partial<Parameters>, guards?: Guard[]) => {
    const run = await openRun({ ...parameters, ...changes }, { root, guards });
    await runCell(() => run.evaluateOriginal());
    return run.events.at(-1);
  };
  expect(await lastOf({}, [guard])).toMatchObject({ type: 'guarded', iteration: -1 });
  expect(await lastOf({ guard: true }, [])).toMatchObject({
    type: 'evaluated',
    iteration: -1,
    split: 'test',
  });
  expect(await lastOf({ guardPairs: true })).toMatchObject({ type: 'guarded', iteration: -1 });
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
  const file = join(first.modelDirectory, 'run.json');
  const record = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...record, state: 'running' }));
  await openRecorded(first.name, { root });
  expect(all.join('\n')).toMatch(
    /It is killed: 1 of 2 iterations .*; to go on with it: await run\.iterate\(\)/,
  );
  const run = await resumeRun(first.name, { root, device: 'cpu' });
  await runCell(() => run.iterate());
  const { device } = (await readRun(run.modelDirectory)).record;
  expect(device).toMatchObject({ name: 'cpu', reason: 'asked for' });
  expect(run.outputDirectory).toBe(first.outputDirectory);
  expect(run.events.at(-1)!.type).toBe('finished');
  const missing = /^there is no run .*0101-0000.*; the runs in .* are .*\d{4}-\d{4}/;
  await expect(resumeRun('0101-0000', { root })).rejects.toThrow(missing);
  await expect(openRecorded('0101-0000', { root })).rejects.toThrow(missing);
});

it('a run whose loading the stop button ended goes on by the name that is told', async () => {
  const before = listRuns(root).length;
  const opening = async () => {
    await openRun({ ...parameters, audioPrompts: 2 }, { root });
  };
  await expect(runCell(opening, () => listRuns(root).length > before)).rejects.toThrow('pressed');
  // The cell run again would make another run.
  const [, name] = /^stopped; to go on: openRecorded\('(.+)'\)$/m.exec(shown)!;
  const run = await openRecorded(name, { root });
  await runCell(() => run.iterate());
  expect(run.events.at(-1)!.type).toBe('finished');
});

it('finds a run by its path, as a run holds it and as outputs of cells show it', async () => {
  const [made] = listRuns(root);
  for (const path of [made.outputDirectory, `./${relative('.', made.modelDirectory)}`]) {
    expect((await openRecorded(path)).name).toBe(made.name);
    expect((await findRun(path)).name).toBe(made.name);
  }
  const missing = `there is no run ${join(root, 'output', '0101-0000')}`;
  await expect(compare([made.outputDirectory, join(root, 'output', '0101-0000')])).rejects.toThrow(missing);
  const empty = /^a run's name is empty: /;
  await expect(compare([made.outputDirectory, ''], root)).rejects.toThrow(empty);
  await expect(openRecorded(' ', { root })).rejects.toThrow(empty);
});

it('asks for the workers that it is given, or else that the environment names', async () => {
  const isNone = (address: string) => `"${address}" is no address of a queue`;
  button = new AbortController();
  vi.stubEnv('SPEECH_DPO_WORKERS', 'of-environment');
  try {
    await expect(async () => openRun(parameters, { root, workers: '' })).rejects.toThrow(
      'workers is empty, and no queue is named: give its address, or null to work without workers',
    );
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

it('scores a checkpoint by a reward of one’s own: given as an object, or named by its file', async () => {
  button = new AbortController();
  const file = join(root, 'brief.mjs');
  writeFileSync(
    file,
    `export default { name: 'brief', label: 'tokens', listens: false,
      score: async (samples) => samples.map(({ codes }) => ({ reward: -codes.length })) };`,
  );
  const reward = await loadReward(file);
  const run = await openRun({ ...parameters, iterations: 1 }, { root, reward });
  await run.iterate();
  const checkpoint = join(run.modelDirectory, 'iter_0');
  const scoring = { indices: '0', samples: 1 };
  await findRun(run.name, root);
  expect(all.join('\n')).toContain(
    'It was trained by the reward brief, a person’s own: to score by it, give its file or address.',
  );
  await expect(scoreCheckpoint(checkpoint, { ...scoring, reward: '' }, root)).rejects.toThrow(
    `${checkpoint} was trained by the reward brief, a person's own: give its file or address as reward, or the name of a built-in one`,
  );
  const [byFile] = await scoreCheckpoint(checkpoint, { ...scoring, reward: file }, root);
  const [byObject] = await scoreCheckpoint(checkpoint, { ...scoring, reward }, root);
  expect(byFile.type).toBe('evaluated');
  expect({ ...byFile, seconds: 0 }).toEqual({ ...byObject, seconds: 0 });
  const isOther = 'these numbers are not what it was trained for';
  expect(all.join('\n')).not.toContain(isOther);
  await scoreCheckpoint(checkpoint, { ...scoring, reward: 'length' }, root);
  expect(all.join('\n')).toContain(isOther);
  // Of several runs the latest, unless one is named.
  expect((await findRun('', root)).name).toBe(run.name);
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
