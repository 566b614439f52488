/** `speech-dpo workers` on a real server. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { encodeWav } from '../../lib/audio/wav.js';
import { main } from '../../lib/cli/main.js';
import { formatPresent, type Present } from '../../lib/cli/workers.js';
import { announce, type PresentRun, type WorkerRecord } from '../../lib/farm/presence.js';
import { connectQueue } from '../../lib/farm/queue.js';
import { findPackageRoot } from '../../lib/package-root.js';
import { runCommand } from '../support/library-process.js';
import { hasRedis, startRedis } from '../support/queue-servers.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { captureTerminal } from '../support/terminal.js';

const terminal = captureTerminal();
const WORKER: WorkerRecord = {
  ...{ kind: 'worker', name: 'node-3', host: 'there', pid: 7, version: '0.1.0', device: 'the CPU, 1 thread' },
  ...{ computes: 'cpu', state: 'working', run: 'abc', refusals: [], items: 30, seconds: 60 },
  startedAt: '2024-06-01T12:00:00Z',
};
const RUN: PresentRun = {
  ...{ kind: 'run', id: 'abc', title: 'output/0601-1200 on here', terms: { files: { token: 'hunter2' } } },
  counts: { waiting: 1200, running: 3, done: 5, total: 1208 },
};

afterEach(() => {
  vi.unstubAllEnvs();
});

const run = (...args: string[]) => main(args, new AbortController().signal);

it('is a table of workers, of refusals, and of runs', () => {
  const refusing: WorkerRecord = {
    ...{ ...WORKER, name: 'gpu', state: 'refuses', run: undefined, items: 0, seconds: 0 },
    refusals: [
      { run: 'abc', title: RUN.title, reason: 'it computes on cuda' },
      { run: 'over', title: 'a run that has ended', reason: 'it computes on cuda' },
    ],
  };
  const { terms: _, ...shown } = RUN;
  const present: Present = {
    address: 'redis://there:6379',
    workers: [
      { ...WORKER, seenSecondsAgo: 1.25 },
      { ...refusing, seenSecondsAgo: 12 },
    ],
    runs: [{ ...shown, seenSecondsAgo: 2 }],
  };
  expect(formatPresent(present)).toBe(
    `worker  host   device             version  state    run                       items  items/s  last seen
------  -----  -----------------  -------  -------  ------------------------  -----  -------  ---------
node-3  there  the CPU, 1 thread  0.1.0    working  output/0601-1200 on here     30     0.50  1.3 s ago
gpu     there  the CPU, 1 thread  0.1.0    refuses  -                             0        -   12 s ago

gpu takes no part in output/0601-1200 on here: it computes on cuda

run                       waiting  running  done     of
------------------------  -------  -------  ----  -----
output/0601-1200 on here    1,200        3     5  1,208`,
  );
});

it('wants an address of a queue', async () => {
  vi.stubEnv('SPEECH_DPO_WORKERS', '');
  expect(await run('workers')).toBe(2);
  expect(terminal.complained).toBe('error: no queue is named: give its address, or set SPEECH_DPO_WORKERS\n');
});

it('refuses an empty address, as of a variable that is not set, and takes an empty SPEECH_DPO_WORKERS for none', async () => {
  const refusal =
    'error: --workers is empty, and no queue is named: give its address; to work without workers, leave --workers out and SPEECH_DPO_WORKERS unset\n';
  for (const variable of [undefined, 'redis://127.0.0.1:1']) {
    vi.stubEnv('SPEECH_DPO_WORKERS', variable);
    terminal.complained = '';
    expect(await run('score', 'a.wav', '--workers', '')).toBe(2);
    expect(terminal.complained).toBe(refusal);
  }
  vi.stubEnv('SPEECH_DPO_WORKERS', '');
  terminal.complained = '';
  await run('score', '/nowhere/a.wav', '--metric', 'silence');
  expect(terminal.complained).not.toContain('queue');
});

it.each([['--serve-at', '127.0.0.1:8700'], ['--allow-mixed']])('%s wants a queue', async (...option) => {
  vi.stubEnv('SPEECH_DPO_WORKERS', '');
  expect(await run('score', 'a.wav', ...option)).toBe(2);
  expect(terminal.complained).toBe(
    `error: ${option[0]} is for work with workers, and no queue is named: give --workers and its address, or set SPEECH_DPO_WORKERS\n`,
  );
});

describe.skipIf(!hasRedis())('on Redis', () => {
  it('a worker that is started with what is not there ends with a sentence', async () => {
    const { url } = await startRedis();
    expect(await run('worker', url, '--reward', '/nowhere/reward.mjs')).toBe(2);
    expect(terminal.complained).toBe('error: there is no file /nowhere/reward.mjs to load a reward from.\n');
  });

  it('says how to begin, and lists who is there without what is secret', async () => {
    const { port } = await startRedis({ config: ['--requirepass', 'correct'] });
    const address = `redis://:correct@127.0.0.1:${port}`;
    vi.stubEnv('SPEECH_DPO_WORKERS', address);
    expect(await run('workers'), terminal.complained).toBe(0);
    expect(terminal.printed).toBe(
      `No worker is there: start one on any machine: npx speech-dpo worker redis://…@127.0.0.1:${port}\n\n` +
        'No run asks for workers: start one with --workers and this address.\n',
    );
    const connection = await connectQueue(address);
    try {
      await announce(connection, 'workers', WORKER.name, WORKER);
      await announce(connection, 'runs', RUN.id, RUN);
      terminal.printed = '';
      expect(await run('workers')).toBe(0);
      expect(terminal.printed).toMatch(/^node-3 .* working .* output\/0601-1200 on here +30 +0\.50 /m);
      expect(terminal.printed).toMatch(/^output\/0601-1200 on here +1,200 +3 +5 +1,208$/m);
      terminal.printed = '';
      expect(await run('workers', address, '--json')).toBe(0);
      const { terms: _, ...shown } = RUN;
      const seenSecondsAgo = expect.any(Number) as number;
      expect(JSON.parse(terminal.printed)).toEqual({
        address: `redis://…@127.0.0.1:${port}`,
        workers: [{ ...WORKER, seenSecondsAgo }],
        runs: [{ ...shown, seenSecondsAgo }],
      });
      expect(terminal.complained).toBe('');
    } finally {
      await connection.close();
    }
  });
});

it.skipIf(!hasRedis())(
  'score does not ask for workers while one is there that is about to begin',
  async () => {
    const { url } = await startRedis();
    const { child } = runCommand(['worker', url]);
    await once(child.stderr, 'data');
    const file = join(temporaryFolder(), 'tone.wav');
    const tone = Float32Array.from({ length: 16000 }, (_, i) => 0.5 * Math.sin(i / 5));
    writeFileSync(file, encodeWav(tone, 16000));
    const { code, stderr } = await runCommand(['score', file, '--metric', 'silence', '--workers', url]).ended;
    expect(code, stderr).toBe(0);
    expect(stderr).not.toContain('no worker takes part');
  },
);

it.skipIf(!hasRedis())('score has workers score more recordings than it may have files open', async () => {
  const { url } = await startRedis();
  const { child } = runCommand(['worker', url]);
  await once(child.stderr, 'data');
  const folder = temporaryFolder();
  const files = Array.from({ length: 800 }, (_, i) => join(folder, `${i}.wav`));
  for (const file of files) writeFileSync(file, encodeWav(new Float32Array(800).fill(0.5), 16000));
  const cli = join(findPackageRoot(), 'dist', 'lib', 'cli.js');
  const limited = ['-c', 'ulimit -n 512 && exec "$@"', 'sh', process.execPath, cli];
  const asked = ['score', ...files, '--metric', 'silence', '--workers', url, '--json'];
  const { stdout } = await promisify(execFile)('sh', [...limited, ...asked]);
  const scores = Object.values(JSON.parse(stdout) as Record<string, { error?: string }>);
  expect(scores.filter(({ error }) => error === undefined)).toHaveLength(files.length);
});
