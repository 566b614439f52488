import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createRunDirectories, type RunDirectories } from '../../lib/run/directories.js';
import type { FleetStatus, RunEvent, Split, WorkerStatus } from '../../lib/run/events.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { recordRun } from '../../lib/run/record.js';
import { cutRecord, readRun, type RunRecord } from '../../lib/run/run-files.js';
import { summarize } from '../../lib/run/statistics.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const now = () => new Date(2024, 5, 1, 12, 0, 0, 123);
const parameters = parseParameters({ seed: 7 });
const statistics = summarize([1, 2]);
const metrics = {
  loss: 0.69,
  'rewards/chosen': 0,
  'rewards/rejected': 0,
  'rewards/margins': 0,
  'rewards/accuracies': 0,
  'logps/chosen': -10,
  'logps/rejected': -11,
};
const instructions = { train: ['Make it louder.'], test: ['Slow it down.'] };
const events: RunEvent[] = [
  { type: 'started', run: '0601-1200', outputDirectory: 'o', modelDirectory: 'm', instructions },
  { type: 'progress', iteration: -1, stage: 'evaluate', split: 'test', done: 1, total: 2 },
  {
    type: 'evaluated',
    iteration: -1,
    split: 'test',
    rewards: [1, 2],
    promptMeans: [1, 2],
    lengths: [3, 4],
    statistics,
    droppedReasons: [],
    seconds: 1.5,
  },
  { type: 'sampled', iteration: 0, samples: 4, tokens: 20, seconds: 2.5 },
  { type: 'step', iteration: 0, epoch: 0, step: 1, steps: 1, metrics },
  { type: 'saved', iteration: 0, directory: 'iter_0/dpo_model', seconds: 0.5 },
  { type: 'finished', seconds: 9 },
];

let root: string;
let directories: RunDirectories;
beforeEach(async () => {
  root = temporaryFolder();
  directories = await createRunDirectories(root, now());
});

async function* streamOf(some: readonly RunEvent[]): AsyncGenerator<RunEvent> {
  yield* some;
}

async function* replay(failure?: Error): AsyncGenerator<RunEvent> {
  yield* failure ? events.slice(0, -1) : events;
  if (failure) throw failure;
}

async function drain(generator: AsyncGenerator<RunEvent>): Promise<RunEvent[]> {
  const seen: RunEvent[] = [];
  for await (const event of generator) seen.push(event);
  return seen;
}

const read = (name: string) => readFile(join(directories.modelDirectory, name), 'utf8');

describe('recordRun', () => {
  it('passes every event on', async () => {
    expect(await drain(recordRun(replay(), { directories, parameters }, now))).toEqual(events);
  });

  it('keeps wall-clock times and folders out of metrics.jsonl', async () => {
    await drain(recordRun(replay(), { directories, parameters }, now));
    const lines = (await read('metrics.jsonl')).split('\n');
    expect(lines).toHaveLength(6);
    expect(lines.join()).not.toMatch(/seconds|started|progress/);
  });

  it('reads back as the same events, without progress', async () => {
    await drain(recordRun(replay(), { directories, parameters }, now));
    const run = await readRun(directories.outputDirectory);
    expect(run.events).toEqual(events.slice(2));
    expect(run.directories).toEqual(directories);
    expect(run.record).toMatchObject({
      run: '0601-1200',
      state: 'finished',
      seed: 7,
      parameters,
      instructions,
      versions: { node: process.versions.node },
      startedAt: now().toISOString(),
      finishedAt: now().toISOString(),
    });
    expect(run.record.timings[0]).toEqual({ event: 'evaluated', iteration: -1, split: 'test', seconds: 1.5 });
    expect(run.record.timings[1]).toEqual({ event: 'sampled', iteration: 0, seconds: 2.5 });
  });

  it('names the device that a run goes on with', async () => {
    const deviceOf = (name: string) => ({ name, description: `the ${name}`, reason: 'given' });
    await drain(recordRun(replay(), { directories, parameters, computing: deviceOf('cpu') }, now));
    const { record } = await readRun(directories.outputDirectory);
    expect(record.device).toEqual(deviceOf('cpu'));
    const going = { directories, parameters, computing: deviceOf('cuda'), resumed: { record, how: 'again' } };
    await drain(recordRun(streamOf(events.slice(-1)), going, now));
    expect((await readRun(directories.outputDirectory)).record.device).toEqual(deviceOf('cuda'));
  });

  it("keeps a training's time in run.json, beside that of saving, and out of metrics.jsonl", async () => {
    const timed = events.map((event) => (event.type === 'saved' ? { ...event, trainingSeconds: 60 } : event));
    await drain(recordRun(streamOf(timed), { directories, parameters }, now));
    const { record, events: read } = await readRun(directories.outputDirectory);
    expect(record.timings).toContainEqual({
      event: 'saved',
      iteration: 0,
      seconds: 0.5,
      trainingSeconds: 60,
    });
    expect(read).toEqual(timed.slice(2));
    expect(await readFile(join(directories.modelDirectory, 'metrics.jsonl'), 'utf8')).not.toContain('econds');
  });

  it('names the best iteration on held-out prompts, of equal ones the first, also where a run is cut back', async () => {
    const [evaluation] = events.filter((event) => event.type === 'evaluated');
    const rewarded = (iteration: number, split: Split, reward: number): RunEvent => ({
      ...evaluation,
      iteration,
      split,
      statistics: summarize([reward]),
    });
    // The original policy and training prompts have the highest rewards, and name no checkpoint.
    const rewards = [-1, 0, 1, 2, 3, 4, 5].flatMap((iteration) => [
      rewarded(iteration, 'train', 10 + iteration),
      rewarded(iteration, 'test', [9, 1, 3, 3, 2, 4, 2][iteration + 1]),
    ]);
    await drain(recordRun(streamOf(rewards), { directories, parameters }, now));
    const { record } = await readRun(directories.modelDirectory);
    const best = (iteration: number, reward: number) => ({
      iteration,
      directory: `iter_${iteration}/dpo_model`,
      reward,
    });
    expect(record.best).toEqual(best(4, 4));
    expect(record.timings).toHaveLength(14);
    for (const [count, expected] of [
      [10, best(1, 3)],
      [6, best(1, 3)],
      [4, best(0, 1)],
      [2, undefined],
    ] as const) {
      const cut = await cutRecord(directories, record, count);
      expect(cut).toMatchObject({ state: 'running', timings: record.timings.slice(0, count) });
      expect(cut.best).toEqual(expected);
      expect((await readRun(directories.modelDirectory)).events).toEqual(rewards.slice(0, count));
    }
  });

  it('logs parameters, iterations and results', async () => {
    await drain(recordRun(replay(), { directories, parameters }, now));
    const log = (await read('log_training.log')).trimEnd().split('\n');
    expect(log.every((line) => line.startsWith('2024-06-01 12:00:00,123 - INFO - '))).toBe(true);
    const messages = log.map((line) => line.slice('2024-06-01 12:00:00,123 - INFO - '.length));
    expect(messages).toContain('seed: 7');
    expect(messages).toContain('Original model rewards on testing set: [1,2]');
    const start = messages.indexOf('-----------Starting iteration 0-----------');
    expect(start).toBeGreaterThan(0);
    expect(messages.indexOf('Sampled 4 completions, 20 tokens in 2.50 seconds')).toBe(start + 1);
    expect(messages.at(-1)).toBe('Total time taken for the entire process: 9.00 seconds');
  });

  it.each([
    ['all', 4, '6.0 MB'],
    ['best', 4, '1.5 MB'],
  ] as const)(
    'logs what the checkpoints take that keepCheckpoints %s keeps of %i',
    async (keepCheckpoints, iterations, left) => {
      const folder = join(directories.modelDirectory, 'iter_0', 'dpo_model');
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'model.safetensors'), Buffer.alloc(1_500_000));
      const kept = { ...parameters, keepCheckpoints, iterations };
      await drain(recordRun(replay(), { directories, parameters: kept }, now));
      expect(await read('log_training.log')).toContain(
        ` - INFO - iter_0/dpo_model takes 1.5 MB; keepCheckpoints ${keepCheckpoints} leaves ${left} at the end`,
      );
    },
  );

  it('records a failure and passes it on', async () => {
    const failure = new Error('the disk is full');
    await expect(drain(recordRun(replay(failure), { directories, parameters }, now))).rejects.toBe(failure);
    expect(JSON.parse(await read('run.json'))).toMatchObject({ state: 'failed', error: 'the disk is full' });
    expect(await read('log_training.log')).toContain(' - ERROR - the disk is full');
    // What is resumed has neither failed nor ended.
    const { record } = await readRun(directories.modelDirectory);
    expect([record.state, record.finishedAt]).toEqual(['failed', now().toISOString()]);
    const cut = await cutRecord(directories, record, 1);
    expect([cut.state, cut.error, cut.finishedAt]).toEqual(['running', undefined, undefined]);
  });

  it('tells why the run failed also where that cannot be written', async () => {
    const failing = async function* (): AsyncGenerator<RunEvent> {
      yield* events;
      await rm(directories.modelDirectory, { recursive: true });
      // In the folder's place, so that it is not made anew.
      await writeFile(directories.modelDirectory, '');
      throw new Error('the first reason');
    };
    await expect(drain(recordRun(failing(), { directories, parameters }, now))).rejects.toThrow(
      'the first reason',
    );
  });

  it('records an interruption where its signal was aborted, which is no failure', async () => {
    const reason = new Error('stopped by a person');
    const given = { directories, parameters, signal: AbortSignal.abort(reason) };
    await expect(drain(recordRun(replay(reason), given, now))).rejects.toBe(reason);
    const record = JSON.parse(await read('run.json')) as RunRecord;
    expect([record.state, record.error]).toEqual(['interrupted', undefined]);
  });

  it('records an interruption when the consumer leaves', async () => {
    for await (const event of recordRun(replay(), { directories, parameters }, now)) {
      if (event.type === 'evaluated') break;
    }
    expect(JSON.parse(await read('run.json'))).toMatchObject({ state: 'interrupted' });
  });
});

describe('readRun', () => {
  it('ignores the torn last line of a killed run', async () => {
    await drain(recordRun(replay(), { directories, parameters }, now));
    const path = join(directories.modelDirectory, 'metrics.jsonl');
    await writeFile(path, (await read('metrics.jsonl')) + '{"type":"step","iter');
    expect((await readRun(directories.modelDirectory)).events).toHaveLength(5);
  });

  it('knows no time of events that a killed run recorded without it', async () => {
    await drain(recordRun(replay(), { directories, parameters }, now));
    const record = JSON.parse(await read('run.json')) as RunRecord;
    const timings = record.timings.slice(0, 2);
    await writeFile(join(directories.modelDirectory, 'run.json'), JSON.stringify({ ...record, timings }));
    const { events: told } = await readRun(directories.modelDirectory);
    const seconds = told.flatMap((event) => ('seconds' in event ? [event.seconds] : []));
    expect(seconds).toEqual([1.5, 2.5, NaN, NaN]);
  });

  it('says how to go on without a damaged line', async () => {
    await drain(recordRun(replay(), { directories, parameters }, now));
    const { modelDirectory } = directories;
    const path = join(modelDirectory, 'metrics.jsonl');
    const [first, ...others] = (await read('metrics.jsonl')).split('\n');
    await writeFile(path, [first, '{"type', ...others].join('\n'));
    await expect(readRun(modelDirectory)).rejects.toThrow(
      `${path}: line 2 is not JSON: remove it and all lines after it, and npx speech-dpo resume ${modelDirectory} does again what they told of`,
    );
    await writeFile(path, `${first}\n`);
    expect((await readRun(modelDirectory)).events).toHaveLength(1);
  });

  it('refuses an event that is nested ever deeper, as every JSON file here', async () => {
    await drain(recordRun(replay(), { directories, parameters }, now));
    const path = join(directories.modelDirectory, 'metrics.jsonl');
    const deep = `{"type":"notice","message":"a","more":${'['.repeat(300)}${']'.repeat(300)}}`;
    await writeFile(path, `${deep}\n`);
    await expect(readRun(directories.modelDirectory)).rejects.toThrow(
      `${path}: line 1 is no event: it is nested deeper than 200 levels.`,
    );
  });

  it('refuses a number that is larger than any, which no chart has a place for', async () => {
    await drain(recordRun(replay(), { directories, parameters }, now));
    const path = join(directories.modelDirectory, 'metrics.jsonl');
    const guard = '{"figure":"kl","mean":1e999,"promptMeans":[1],"missing":0}';
    await writeFile(path, `{"type":"guarded","iteration":0,"warnings":[],"guards":[${guard}]}\n`);
    await expect(readRun(directories.modelDirectory)).rejects.toThrow(
      `${path}: line 1 is no event: guards[0].mean: invalid input: expected number, received Infinity`,
    );
  });

  it('names the file that a folder lacks', async () => {
    await expect(readRun(directories.outputDirectory)).rejects.toThrow(
      join(directories.modelDirectory, 'run.json'),
    );
  });
});

describe('workers', () => {
  const address = 'redis://there:6379';
  const fleet = (items: number, others: WorkerStatus[] = []): RunEvent => ({
    ...{ type: 'fleet', waiting: 1, running: 1, failed: 0, done: items, total: 9 },
    workers: [{ name: 'a\nb', device: 'the CPU', state: 'working', items, seconds: 2 * items }, ...others],
  });
  async function* follow(given: RunEvent[]): AsyncGenerator<RunEvent> {
    yield* given;
  }
  const record = (given: RunEvent[], mixed = false, resumed?: { record: RunRecord; how: string }) =>
    drain(recordRun(follow(given), { directories, parameters, workers: { address, mixed }, resumed }, now));

  it('stand in run.json with what they did, added up where a run goes on', async () => {
    const gone: WorkerStatus = { name: 'c', device: '', state: 'gone', items: 1, seconds: 1 };
    const refusing: WorkerStatus = { ...gone, name: 'd', state: 'refuses', refusal: 'no', items: 0 };
    await record([fleet(1), fleet(4, [gone, refusing]), events.at(-1)!]);
    const first = (await readRun(directories.outputDirectory)).record;
    expect(first.workers).toEqual({
      ...{ address, mixed: false },
      fleet: [
        { name: 'a\nb', device: 'the CPU', items: 4, seconds: 8 },
        { name: 'c', device: '', items: 1, seconds: 1 },
      ],
    });
    await record([fleet(2), fleet(3)], true, { record: first, how: 'from iteration 0' });
    const second = (await readRun(directories.outputDirectory)).record;
    expect(second.workers).toMatchObject({ mixed: true, fleet: [{ items: 7, seconds: 14 }, { items: 1 }] });
    // What mixed devices computed once stays in the run.
    await record([fleet(1)], false, { record: second, how: 'from iteration 1' });
    const { workers } = (await readRun(directories.outputDirectory)).record;
    expect(workers).toMatchObject({ mixed: true, fleet: [{ items: 8 }, { items: 1 }] });
    expect(await read('metrics.jsonl')).not.toContain('fleet');
  });

  it('are no part of a run without them', async () => {
    await drain(recordRun(replay(), { directories, parameters }, now));
    expect(JSON.parse(await read('run.json'))).not.toHaveProperty('workers');
  });

  it('are logged once when they join, refuse or leave, and so is what is wrong', async () => {
    const refusing: WorkerStatus = {
      ...{
        name: 'd',
        device: 'CUDA',
        state: 'refuses',
        refusal: 'it computes on cuda',
        items: 0,
        seconds: 0,
      },
    };
    const [working] = (fleet(2) as FleetStatus).workers;
    const away: RunEvent = { ...(fleet(2) as FleetStatus), type: 'fleet', trouble: 'no worker takes part' };
    away.workers = [{ ...working, state: 'gone' }, refusing];
    await record([fleet(1, [refusing]), fleet(2, [refusing]), away, away, fleet(2, [refusing])]);
    const log = (await read('log_training.log')).trimEnd().split('\n');
    const start = log.findIndex((line) => line.includes('Workers: '));
    expect(log.slice(start).map((line) => line.slice('2024-06-01 12:00:00,123 - '.length))).toEqual([
      `INFO - Workers: ${address}`,
      'INFO - worker a\ufffdb takes part, on the CPU',
      'WARNING - worker d takes no part: it computes on cuda',
      'WARNING - worker a\ufffdb is gone after 2 items',
      'WARNING - no worker takes part',
      'INFO - worker a\ufffdb takes part, on the CPU',
      'INFO - workers go on',
    ]);
  });
});
