/**
 * Runs whose samples workers draw and score, by the real command line, on real servers of queues, with processes and servers that are
 * killed: they come to the bytes of a run in one process. KILLS=200 npx vitest run test/farm/run.test.ts takes that many moments.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findPackageRoot } from '../../lib/package-root.js';
import { uniformStream } from '../../lib/random.js';
import { installProgram, startProgram, type Started } from '../support/farm-processes.js';
import { findRun, readRunFiles } from '../support/interrupted-run.js';
import {
  hasPostgres,
  hasRedis,
  startPostgres,
  startRedis,
  type QueueServer,
} from '../support/queue-servers.js';
import { sharedPath } from '../support/shared.js';

const KILLS = Number(process.env.KILLS ?? 10);
const SMALL = '--seed 7 --epochs 1 --audio-prompts 1'.split(' ');
const EVEN = [
  ...'even-token --iterations 2 --train-prompts 3 --test-prompts 2 --num-eval 2 --sample-size 6'.split(' '),
  ...SMALL,
];
/** With its guards, which need DNSMOS's weights, and without. */
const GUARDED = [
  ...'mos --iterations 1 --train-prompts 2 --test-prompts 1 --num-eval 2 --sample-size 4 --min-margin 0'.split(
    ' ',
  ),
  ...SMALL,
];
const MOS = [...GUARDED, '--no-guard'];

const weights = process.env.NISQA_WEIGHTS ?? sharedPath('nisqa/nisqa.tar');
const environment = weights ? { NISQA_WEIGHTS: weights } : {};

let folder: string;
let cli: string;
const running = new Set<Started>();
const undisturbed = new Map<string, Map<string, string>>();

/** A process that does not outlive this file. */
function begin(args: readonly string[], program = cli): Started {
  return keep(startProgram(process.execPath, [program, ...args], environment));
}

function keep(started: Started): Started {
  running.add(started);
  void started.ended.then(() => running.delete(started));
  return started;
}

/** Whether this user may have mounts of its own. */
function canMount(): boolean {
  if (spawnSync('unshare', ['-m', 'true']).status === 0) return true;
  console.warn('Skipped: a worker in a place of its own needs unshare -m, which this user may not use.');
  return false;
}

let outputs = 0;
const newOutput = () => join(folder, `output-${outputs++}`);

/** The files of the run in one process. */
async function alone(args: readonly string[]): Promise<Map<string, string>> {
  const name = args.join(' ');
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

/** Three workers that stay from test to test; those that were killed are replaced. */
function openFleet(server: () => QueueServer) {
  const workers: Started[] = [];
  const replace = (index: number) => (workers[index] = beginWorker(server()));
  beforeEach(() => {
    for (const index of [0, 1, 2]) {
      const { exitCode, signalCode } = workers[index]?.child ?? { exitCode: 0 };
      if (exitCode !== null || signalCode !== null) replace(index);
    }
  });
  afterAll(async () => {
    for (const { child } of workers) child.kill('SIGKILL');
    await Promise.all(workers.map(({ ended }) => ended));
  });
  return { workers, replace };
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

describe.skipIf(!hasRedis())('a run with workers on Redis', () => {
  let redis: QueueServer;
  beforeAll(async () => {
    redis = await startRedis({ keeps: true });
  });

  it('refuses by name a worker of another version, which says why', async () => {
    const other = installProgram(join(folder, 'other'), '9.9.9');
    const stranger = begin(['worker', redis.url, '--name', 'stranger'], other);
    const run = beginRun(EVEN, redis, newOutput());
    while (!run.said.includes('no worker takes part; 1 refused') && run.child.exitCode === null)
      await sleep(50);
    const reason = /the run is of speech-dpo \S+, this worker of 9\.9\.9: install the same on both/;
    expect(stranger.said).toMatch(new RegExp(`takes no part in \\S+ on \\S+: ${reason.source}`));
    expect(run.said).toMatch(new RegExp(`worker stranger takes no part: ${reason.source}`));
    run.child.kill('SIGINT');
    expect((await run.ended).code).toBe(130);
    stranger.child.kill('SIGTERM');
    expect((await stranger.ended).code).toBe(0);
  });

  it.skipIf(!canMount())(
    'by a worker elsewhere, which fetches the models; one with a full disk says so and leaves',
    async () => {
      const model = join(folder, 'hidden');
      cpSync(join(findPackageRoot(), 'models', 'default'), model, { recursive: true });
      // In a place of its own a worker does not see the trainer's model, and has a disk of its own.
      const elsewhere = (name: string, megabytes: number): Started => {
        const cache = join(folder, `cache-${name}`);
        const script = `mkdir -p ${cache} && mount -t tmpfs tmpfs ${model} && mount -t tmpfs -o size=${megabytes}m tmpfs ${cache} && exec "$@"`;
        const worker = [process.execPath, cli, 'worker', redis.url, '--name', name];
        return keep(
          startProgram('unshare', ['-m', 'sh', '-c', script, 'sh', ...worker], {
            ...environment,
            XDG_CACHE_HOME: cache,
          }),
        );
      };
      const output = newOutput();
      const full = elsewhere('full', 1);
      const run = beginRun([...EVEN, '--model', model], redis, output);
      const { code, said } = await full.ended;
      expect(said).toMatch(
        /error: the disk is nearly full: saving to \S+ takes \d+ MB, \d+ MB are free; make room there/,
      );
      expect(code).toBe(74);
      const roomy = elsewhere('roomy', 500);
      await expectSame(run, output, EVEN);
      expect(roomy.said).toMatch(/Downloading the policy \(\d+ MB\) from http:\/\/127/);
      expect(roomy.said + run.said, 'the token is told to nobody').not.toMatch(/[0-9a-f]{64}/);
      roomy.child.kill('SIGTERM');
      await roomy.ended;
    },
  );

  describe('three of them', () => {
    const { workers, replace } = openFleet(() => redis);

    const plain: typeof experiments = [
      ['even-token', EVEN],
      ...(weights ? [['mos with its guards', GUARDED] as [string, string[]]] : []),
    ];
    it.each(plain)('comes to the bytes of one process: %s', async (_, args) => {
      const output = newOutput();
      await expectSame(beginRun(args, redis, output), output, args);
    });

    it.each(experiments)(`also where they are killed at ${KILLS} random moments: %s`, async (name, args) => {
      const uniform = uniformStream(17, name.length);
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
          replace(victim);
          kills += 1;
        }
        await expectSame(run, output, args);
      }
    });

    it('also where they hang, lose their items and answer late', async () => {
      const output = newOutput();
      const run = beginRun(EVEN, redis, output);
      while (!run.said.includes('log, checkpoints')) await sleep(20);
      for (const { child } of workers.slice(0, 2)) {
        await Promise.race([sleep(400), run.ended]);
        child.kill('SIGSTOP');
      }
      // Longer than their hold of an item.
      await Promise.race([sleep(5000), run.ended]);
      for (const { child } of workers) child.kill('SIGCONT');
      await expectSame(run, output, EVEN);
    });

    it.each(['with what it held', 'without it'])(
      'also where Redis is killed in the middle and comes back %s',
      async (how) => {
        const output = newOutput();
        const run = beginRun(EVEN, redis, output);
        for (const mark of ['original policy, training', 'sampled']) {
          while (!run.said.includes(mark) && run.child.exitCode === null) await sleep(20);
          await sleep(700);
          await redis.kill();
          if (how === 'without it') redis.forget();
          await sleep(500);
          await redis.start();
        }
        await expectSame(run, output, EVEN);
      },
    );

    it.each(experiments)('also where the trainer is killed and resumed: %s', async (_, args) => {
      const uniform = uniformStream(23);
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
});

describe.skipIf(!hasPostgres())('a run with workers on PostgreSQL', () => {
  let postgres: QueueServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  openFleet(() => postgres);

  it('comes to the bytes of one process', async () => {
    const output = newOutput();
    await expectSame(beginRun(EVEN, postgres, output), output, EVEN);
  });
});
