import type * as Files from 'node:fs/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createFleet } from '../../lib/farm/fleet.js';
import type { WorkerRecord } from '../../lib/farm/presence.js';
import {
  comparableVersions,
  guardNames,
  kindOf,
  nameOfGuard,
  refusalOf,
  termsSchema,
  type Terms,
  type WorkerTraits,
} from '../../lib/farm/terms.js';
import { levelGuard } from '../../lib/reward/guard.js';

const versions = { 'speech-dpo': '1.0.0', 'Node.js': '20' };
const terms: Terms = {
  versions,
  computes: 'CPU x64 avx2',
  scorers: {},
  work: {
    kind: 'samples',
    rules: { temperature: 1, topK: 0, topP: 1, maxNewTokens: 10 },
    int8: false,
    speech: null,
    reward: { name: 'restless', rewardModel: 'nisqa', sha256: 'c'.repeat(64) },
    guards: [],
    transcriber: null,
  },
};
const worker: WorkerTraits = { versions, computes: 'CPU x64 avx2', rewards: ['c'.repeat(64)] };

describe('a worker', () => {
  it('that is as the run wants it takes part', () => {
    expect(termsSchema.parse(JSON.parse(JSON.stringify(terms)))).toEqual(terms);
    expect(refusalOf(terms, worker)).toBeUndefined();
  });

  it.each<[string, Partial<WorkerTraits>, RegExp]>([
    [
      'of another version',
      { versions: { ...versions, 'speech-dpo': '2.0.0' } },
      /speech-dpo 1\.0\.0, this worker of 2\.0\.0: install the same/,
    ],
    [
      'of another Node.js',
      { versions: { ...versions, 'Node.js': '22' } },
      /of Node\.js 20, this worker of 22/,
    ],
    [
      'with a package more',
      { versions: { ...versions, tensorflow: '4' } },
      /of tensorflow \(none\), this worker of 4/,
    ],
    ['without a package', { versions: { 'speech-dpo': '1.0.0' } }, /of Node\.js 20, this worker of \(none\)/],
    [
      'on another device',
      { computes: 'cuda, NVIDIA H100' },
      /on CPU x64 avx2, this worker on cuda, NVIDIA H100.*--allow-mixed/,
    ],
    [
      'without the reward',
      { rewards: [] },
      /the reward restless \(SHA-256 cccccccccccc\.\.\.\).*start it with --reward/,
    ],
  ])('%s is refused, and told why', (_, changes, reason) => {
    expect(refusalOf(terms, { ...worker, ...changes })).toMatch(reason);
  });

  it.each([[], ['d'.repeat(64)]])('without one of several rewards is refused: %s', (...rewards) => {
    const reward = {
      ...{ name: 'a and b', rewardModel: 'nisqa' as const },
      parts: [{ name: 'a' }, { name: 'b', sha256: 'e'.repeat(64) }],
    };
    const combined = { ...terms, work: { ...terms.work, reward } } as Terms;
    expect(refusalOf(combined, { ...worker, rewards })).toMatch(/the reward b \(SHA-256 eeeeeeeeeeee/);
    expect(refusalOf(combined, { ...worker, rewards: [...rewards, 'e'.repeat(64)] })).toBeUndefined();
  });

  it('on another device takes part where that is allowed', () => {
    expect(refusalOf({ ...terms, computes: null }, { ...worker, computes: 'other' })).toBeUndefined();
  });
});

/** What Linux says of another machine's processor. */
const elsewhere = vi.hoisted((): { cpuInfo?: string } => ({}));
vi.mock('node:fs/promises', async (original) => {
  const files = await original<typeof Files>();
  const readFile = (path: string, options: BufferEncoding) =>
    path === '/proc/cpuinfo' && elsewhere.cpuInfo !== undefined
      ? Promise.resolve(elsewhere.cpuInfo)
      : files.readFile(path, options);
  return { ...files, readFile };
});
afterEach(() => delete elsewhere.cpuInfo);

describe('what bits depend on', () => {
  it.each([
    ['flags\t\t: fpu sse2 avx avx2 avx512f avx512bw', ' avx512f'],
    ['flags\t\t: fpu sse2 avx avx2', ' avx2'],
    ['Features\t: fp asimd evtstrm', ' asimd'],
    ['model name\t: one with avx2', ''],
  ])('are the widest vectors of a CPU: "%s"', async (line, vectors) => {
    elsewhere.cpuInfo = `processor\t: 0\n${line}\nbugs\t\t: none\n`;
    const kind = await kindOf({ name: 'cpu', description: 'the CPU, 2 threads' });
    expect(kind).toBe(`CPU ${process.arch}${vectors}`);
  });

  it('is the kind of device: of a CPU its architecture and vectors, not its threads', async () => {
    const kind = await kindOf({ name: 'cpu', description: 'the CPU, 2 threads' });
    expect(kind).toBe(await kindOf({ name: 'cpu', description: 'the CPU, 64 threads' }));
    expect(kind).toContain(process.arch);
    expect(await kindOf({ name: 'cuda', description: 'NVIDIA H100 by CUDA' })).toBe(
      'cuda, NVIDIA H100 by CUDA',
    );
  });

  it('is the major version of Node.js, and every package that computes', async () => {
    const comparable = await comparableVersions();
    expect(comparable['Node.js']).toBe(process.versions.node.split('.')[0]);
    expect(comparable['onnxruntime-node']).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

it('guards are known by what they measure first', () => {
  expect(nameOfGuard(levelGuard)).toBe('silence');
  for (const name of guardNames) expect(nameOfGuard({ figures: [name] })).toBe(name);
  expect(nameOfGuard({ figures: ['clipping'] })).toBeUndefined();
});

describe('a fleet', () => {
  const record = (name: string, changes: Partial<WorkerRecord> = {}): WorkerRecord => ({
    ...{ kind: 'worker', name, host: 'h', pid: 1, version: '1', device: 'the CPU', computes: 'CPU' },
    ...{ state: 'idle', refusals: [], items: 0, seconds: 0, startedAt: '' },
    ...changes,
  });

  it('is of those who work for the run, refuse it, or did so', () => {
    const fleet = createFleet('run');
    const refusals = [{ run: 'run', title: 't', reason: 'another version' }];
    fleet.see([
      record('a', { run: 'run', state: 'working' }),
      record('b', { run: 'other', state: 'working' }),
      record('c', { state: 'refuses', refusals }),
    ]);
    fleet.count('a', 2);
    fleet.count('a', 3);
    expect(fleet.workers()).toEqual([
      { name: 'a', device: 'the CPU', state: 'working', items: 2, seconds: 5 },
      { name: 'c', device: 'the CPU', state: 'refuses', refusal: 'another version', items: 0, seconds: 0 },
    ]);
    fleet.count('d', 1);
    fleet.see([record('c', { state: 'refuses', refusals }), record('d', { run: 'other', state: 'working' })]);
    expect(fleet.workers().map(({ name, state, items }) => [name, state, items])).toEqual([
      ['a', 'gone', 2],
      ['c', 'refuses', 0],
      ['d', 'gone', 1],
    ]);
    expect(fleet.workers()[2].device, 'of which only a result came before').toBe('the CPU');
    // What it lacked it may have by now.
    fleet.see([record('c', { run: 'run', state: 'preparing', refusals })]);
    expect(fleet.workers()[1]).toMatchObject({ name: 'c', state: 'preparing' });
  });

  it('is as fast as in the last minute', () => {
    let ms = 0;
    const fleet = createFleet('run', () => ms);
    expect(fleet.remainingSeconds(10)).toBeUndefined();
    for (let i = 0; i < 20; i++) fleet.count('a', 1);
    ms = 10_000;
    expect(fleet.remainingSeconds(10)).toBeCloseTo(5);
    ms = 75_000;
    expect(fleet.remainingSeconds(10), 'nothing came for a minute').toBeUndefined();
    fleet.count('a', 1);
    expect(fleet.remainingSeconds(1)).toBeCloseTo(60);
  });
});
