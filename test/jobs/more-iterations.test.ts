/** Finished runs that get more iterations. */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readAudioIndex } from '../../lib/experiment/audio-examples.js';
import { runExperiment } from '../../lib/jobs/experiment.js';
import type { OwnParts } from '../../lib/jobs/own-parts.js';
import { withIterations } from '../../lib/jobs/more-iterations.js';
import { resumeExperiment } from '../../lib/jobs/resume.js';
import type { Guard } from '../../lib/reward/guard.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { readRun } from '../../lib/run/run-files.js';
import type { RunEvent } from '../../lib/run/events.js';
import { device } from '../support/device.js';
import { readRunFiles } from '../support/interrupted-run.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

let model: string;
beforeAll(async () => {
  model = mkdtempSync(join(tmpdir(), 'speech-dpo-test-'));
  await writeTinyModel(model);
});
afterAll(() => rmSync(model, { recursive: true }));

const SMALL = {
  ...{ trainPrompts: 2, testPrompts: 2, sampleSize: 4, numEval: 2, maxNewTokens: 30, audioPrompts: 1 },
  ...{ epochs: 1, learningRate: 0.01, warmupSteps: 0.5, schedule: 'cosine' },
};

async function collect(events: AsyncGenerator<RunEvent>): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const event of events) if (event.type !== 'progress') all.push(event);
  return all;
}

/** @returns the run's folder under `root` */
async function start(root: string, parameters: object, own: OwnParts = {}): Promise<string> {
  const parsed = parseParameters({ model, ...SMALL, ...parameters });
  const [started] = await collect(runExperiment(parsed, { root, device, ...own }));
  if (started.type !== 'started') throw new Error('a run begins with its name');
  return started.modelDirectory;
}

it('come to the bytes of a run that began with so many, also where the last checkpoint is gone', async () => {
  const [raised, begun] = [temporaryFolder(), temporaryFolder()];
  const run = await start(raised, { iterations: 2, keepCheckpoints: 'best', seed: 3 });
  expect((await readRun(run)).record.best).toMatchObject({ iteration: 0 });
  await refusesFewer(run);
  const events = await collect(resumeExperiment(run, { device, iterations: 3 }));
  await start(begun, { iterations: 3, keepCheckpoints: 'best', seed: 3 });

  const files = readRunFiles(raised);
  const expected = readRunFiles(begun);
  expect([...files.keys()]).toEqual([...expected.keys()]);
  for (const [name, content] of files) expect(content === expected.get(name), name).toBe(true);
  expect(events.filter(({ type }) => type === 'saved')).toHaveLength(3);
  const { record } = await readRun(run);
  expect(record).toMatchObject({ state: 'finished', parameters: { iterations: 3 } });
  expect(record.timings.filter(({ event }) => event === 'finished')).toHaveLength(1);
  const log = await readFile(join(run, 'log_training.log'), 'utf8');
  expect(log).toMatch(/Resumed to 3 iterations in place of 2, with the training of iteration 1\b/);
});

it('are not done anew from the beginning without a word', async () => {
  const run = await start(temporaryFolder(), { iterations: 1, seed: 3 });
  await rm(join(run, 'metrics.jsonl'));
  const notices: string[] = [];
  const onNotice = (notice: string) => notices.push(notice);
  const events = await collect(resumeExperiment(run, { device, onNotice }));
  expect(events.at(-1)).toMatchObject({ type: 'finished' });
  expect(notices).toContainEqual(
    expect.stringMatching(
      /^run \S+ goes on from the beginning\. .*metrics\.jsonl does not tell that iteration 0/,
    ),
  );
});

it('take away no file outside the run that audio.json names', async () => {
  const root = temporaryFolder();
  const run = await start(root, { iterations: 1, seed: 3 });
  const { outputDirectory } = (await readRun(run)).directories;
  await writeFile(join(root, 'mine.wav'), 'of weeks');
  const index = await readAudioIndex(outputDirectory);
  const last = index.examples.find(({ role }) => role === 'trained')!;
  for (const file of ['../../mine.wav', '../..', '']) index.examples.push({ ...last, file });
  await writeFile(join(outputDirectory, 'audio.json'), JSON.stringify(index));
  await collect(resumeExperiment(run, { device, iterations: 2 }));
  expect(await readFile(join(root, 'mine.wav'), 'utf8')).toBe('of weeks');
  expect((await readAudioIndex(outputDirectory)).examples).not.toHaveLength(index.examples.length);
});

async function refusesFewer(run: string): Promise<void> {
  const refused = collect(resumeExperiment(run, { device, iterations: 1 }));
  await expect(refused).rejects.toThrow(/has 2 iterations: .* can be raised, not lowered to 1$/);
  await expect(collect(resumeExperiment(run, { device, iterations: 2.5 }))).rejects.toThrow('iterations');
  const [started, ...events] = await collect(resumeExperiment(run, { device, iterations: 2 }));
  expect(started).toMatchObject({ type: 'started', isFinished: true });
  expect(events.at(-1)).toMatchObject({ type: 'finished' });
}

it('are refused where a guard has ended the run, or would have after the last iteration', async () => {
  /** Takes for worse what the reward takes for better. */
  const guard: Guard = {
    figures: ['dnsmos'],
    measure: async ({ codes }) => ({
      dnsmos: (-5 * codes.filter((code) => code % 2 === 0).length) / codes.length,
    }),
  };
  const parameters = {
    ...{ iterations: 3, earlyStopping: 'guard', epochs: 3, learningRate: 0.05, numEval: 4 },
    audioPrompts: 0,
  };
  const run = await start(temporaryFolder(), parameters, { guards: [guard] });
  const before = await readFile(join(run, 'run.json'), 'utf8');
  const refusal = /^a guard warned of run .* after iteration 0, and its earlyStopping ends a run there/;
  await expect(collect(resumeExperiment(run, { device, guards: [guard], iterations: 5 }))).rejects.toThrow(
    refusal,
  );
  expect(await readFile(join(run, 'run.json'), 'utf8')).toBe(before);

  const { record, events, directories } = await readRun(run);
  const asked = {
    record: { ...record, parameters: { ...record.parameters, iterations: 1 } },
    events: events.filter(({ type }) => type !== 'stopped'),
    directories,
  };
  await expect(withIterations(asked, 5)).rejects.toThrow(refusal);
  // A training that ended early ends no run.
  const early = { ...asked.record.parameters, earlyStopping: 'loss', validationShare: 0.5 } as const;
  const trained: RunEvent[] = [{ type: 'stopped', iteration: 0, step: 1, reason: 'no better' }];
  const raised = withIterations({ ...asked, record: { ...record, parameters: early }, events: trained }, 5);
  expect((await raised).parameters.iterations).toBe(5);
});
