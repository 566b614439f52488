/**
 * Runs whose samples workers draw and score, by the real command line, on real servers of queues, with processes and servers that are
 * killed: they come to the bytes of a run in one process. KILLS=200 npx vitest run test/farm/run.test.ts takes that many moments.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uniformStream } from '../../lib/random.js';
import { installProgram, start, type Started } from '../support/farm-processes.js';
import { findRun, readRunFiles } from '../support/interrupted-run.js';
import {
  hasPostgres,
  hasRedis,
  startPostgres,
  startRedis,
  type QueueServer,
} from '../support/queue-servers.js';
import { sharedPath } from '../support/shared.js';

const KILLS = Number(process.env.KILLS ?? 20);
const SMALL = '--seed 7 --epochs 1 --audio-prompts 1'.split(' ');
const EVEN = [
  ...'even-token --iterations 2 --train-prompts 4 --test-prompts 3 --num-eval 3 --sample-size 10'.split(' '),
  ...SMALL,
];
const MOS = [
  ...'mos --iterations 1 --train-prompts 2 --test-prompts 2 --num-eval 2 --sample-size 6 --min-margin 0.1'.split(
    ' ',
  ),
  ...SMALL,
];

const weights = process.env.NISQA_WEIGHTS ?? sharedPath('nisqa/nisqa.tar');
const environment = weights ? { NISQA_WEIGHTS: weights } : {};

let folder: string;
let cli: string;
const running = new Set<Started>();
const undisturbed = new Map<string, Map<string, string>>();

/** A process that does not outlive this file. */
function begin(args: readonly string[], program = cli, env: NodeJS.ProcessEnv = {}): Started {
  const started = start(program, args, { ...environment, ...env });
  running.add(started);
  void started.ended.then(() => running.delete(started));
  return started;
}

let outputs = 0;
const newOutput = () => join(folder, `output-${outputs++}`);

/** The files of the run in one process. */
async function alone(args: readonly string[]): Promise<Map<string, string>> {
  const name = args[0];
  if (!undisturbed.has(name)) {
    const output = newOutput();
    const { code, said } = await begin([...args, '--output', output]).ended;
    expect(code, said).toBe(0);
    undisturbed.set(name, readRunFiles(output));
  }
  return undisturbed.get(name)!;
}

let names = 0;
const beginWorker = ({ url }: QueueServer) =>
  begin(['worker', url, '--name', `worker-${names++}`, '--lock-seconds', '3']);

async function withWorkers(server: QueueServer, work: (workers: Started[]) => Promise<void>): Promise<void> {
  const workers = [0, 1, 2].map(() => beginWorker(server));
  try {
    await work(workers);
  } finally {
    for (const { child } of workers) child.kill('SIGKILL');
    await Promise.all(workers.map(({ ended }) => ended));
  }
}

const beginRun = (args: readonly string[], { url }: QueueServer, output: string) =>
  begin([...args, '--workers', url, '--output', output]);

async function expectSame(run: Started, output: string, args: readonly string[]): Promise<void> {
  const { code, said } = await run.ended;
  expect(code, said).toBe(0);
  const [files, expected] = [readRunFiles(output), await alone(args)];
  expect([...files.keys()]).toEqual([...expected.keys()]);
  for (const [path, content] of expected)
    expect(files.get(path) === content, `${path} is the same`).toBe(true);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'speech-dpo-farm-'));
  cli = installProgram(join(folder, 'program'));
});
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all([...running].map(({ ended }) => ended));
  rmSync(folder, { recursive: true, force: true });
});

const experiments: [string, string[]][] = [
  ['even-token', EVEN],
  ...(weights ? [['mos', MOS] as [string, string[]]] : []),
];

describe.skipIf(!hasRedis())('a run with three workers on Redis', () => {
  let redis: QueueServer;
  beforeAll(async () => {
    redis = await startRedis();
  });

  it.each(experiments)('comes to the bytes of one process: %s', async (_, args) => {
    const output = newOutput();
    await withWorkers(redis, () => expectSame(beginRun(args, redis, output), output, args));
  });

  it.each(experiments)(`also where workers are killed at ${KILLS} random moments: %s`, async (name, args) => {
    const uniform = uniformStream(17, name.length);
    await withWorkers(redis, async (workers) => {
      for (let kills = 0; kills < KILLS;) {
        const output = newOutput();
        const run = beginRun(args, redis, output);
        let isOver = false;
        void run.ended.then(() => (isOver = true));
        while (!isOver && kills < KILLS) {
          await Promise.race([sleep(200 + 1500 * uniform()), run.ended]);
          if (isOver || !run.said.includes('log, checkpoints')) continue;
          const victim = Math.floor(workers.length * uniform());
          workers[victim].child.kill('SIGKILL');
          workers[victim] = beginWorker(redis);
          kills += 1;
        }
        await expectSame(run, output, args);
      }
    });
  });

  it.each([
    ['with what it held', true],
    ['without it', false],
  ])('also where Redis is killed in the middle and comes back %s', async (_, keeps) => {
    const server = await startRedis({ keeps });
    await withWorkers(server, async () => {
      const output = newOutput();
      const run = beginRun(EVEN, server, output);
      for (const mark of ['original policy, training', 'sampled']) {
        while (!run.said.includes(mark) && run.child.exitCode === null) await sleep(20);
        await sleep(700);
        await server.kill();
        await sleep(500);
        await server.start();
      }
      await expectSame(run, output, EVEN);
    });
  });

  it.each(experiments)('also where its trainer is killed and resumed: %s', async (_, args) => {
    const uniform = uniformStream(23);
    await withWorkers(redis, async () => {
      const output = newOutput();
      let run = beginRun(args, redis, output);
      while (findRun(output) === undefined) await sleep(20);
      for (let kills = 0; kills < 3; kills++) {
        await Promise.race([sleep(1500 + 2500 * uniform()), run.ended]);
        if (run.child.exitCode !== null) break;
        run.child.kill('SIGKILL');
        await run.ended;
        run = begin(['resume', findRun(output)!, '--workers', redis.url]);
      }
      await expectSame(run, output, args);
    });
  });

  it('refuses by name a worker of another version, which says why', async () => {
    const other = installProgram(join(folder, 'other'), '9.9.9');
    const output = newOutput();
    const stranger = begin(['worker', redis.url, '--name', 'stranger'], other);
    const run = beginRun(EVEN, redis, output);
    while (!stranger.said.includes('takes no part') && run.child.exitCode === null) await sleep(50);
    expect(stranger.said).toMatch(
      /takes no part in \S+ on \S+: the run is of speech-dpo \S+, this worker of 9\.9\.9: install the same on both/,
    );
    await withWorkers(redis, () => expectSame(run, output, EVEN));
    stranger.child.kill('SIGTERM');
    expect((await stranger.ended).code).toBe(0);
  });
});

describe.skipIf(!hasPostgres())('a run with a worker on PostgreSQL', () => {
  it('comes to the bytes of one process', async () => {
    const postgres = await startPostgres();
    const output = newOutput();
    await withWorkers(postgres, () => expectSame(beginRun(EVEN, postgres, output), output, EVEN));
  });
});
