/**
 * Steps that a run takes on the disk go wrong, one at a time, or are its last ones; the command line in this process, on a policy whose
 * samples cost nothing. The ordinary run tries each SPACING-th step; DISK_FAULTS=ENOSPC,EIO,short,full,gone npx vitest run
 * test/experiment/disk-faults.test.ts tries every step in each of these ways.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type * as Atomic from '../../lib/checkpoint/atomic.js';
import type * as Commands from '../../lib/cli/commands.js';
import { experimentCommands } from '../../lib/cli/experiments.js';
import { main } from '../../lib/cli/main.js';
import { resumeCommand } from '../../lib/cli/resume.js';
import type * as Open from '../../lib/jobs/open.js';
import type { SpeakingModel } from '../../lib/jobs/open.js';
import type * as Prompts from '../../lib/jobs/prompts.js';
import { readRun } from '../../lib/run/run-files.js';
import type { Policy } from '../../lib/policy/policy.js';
import type { Sampler } from '../../lib/policy/sample.js';
import { hash, uniformStream } from '../../lib/random.js';
import { breakDisk } from '../support/faulty-disk.mjs';
import { findRun, readRunFiles } from '../support/interrupted-run.js';
import { copyWeights } from '../support/random-policy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { createTinyRun } from './tiny-run.js';

const FAULTS = ['ENOSPC', 'EIO', 'short', 'full', 'gone'] as const;
const EVERYWHERE = FAULTS.filter((fault) => process.env.DISK_FAULTS?.split(',').includes(fault));
const SPACING = 31;
const HOUR_MS = 3_600_000;

const ARGUMENTS =
  '--iterations 2 --train-prompts 2 --test-prompts 1 --audio-prompts 1 --sample-size 3 --num-eval 2 --max-new-tokens 6 --epochs 1 ' +
  '--batch-size 2 --validation-share 0 --checkpoint-minutes 0 --keep-checkpoints last --learning-rate 0.01';

const tiny = await createTinyRun();
const firstWeights = copyWeights(tiny.policy.weights);

/** Makes codes up from the random stream that a sample would draw from, and from the weights. */
function guessingSampler(policy: Policy): Sampler {
  return {
    async *sample(prompts, { samplesPerPrompt, seed, maxNewTokens }) {
      const [first] = policy.weights.values();
      const state = hash([...new Int32Array(first.data.buffer, first.data.byteOffset, 8)]);
      for (const promptIndex of prompts.keys()) {
        for (let sampleIndex = 0; sampleIndex < samplesPerPrompt; sampleIndex++) {
          const uniform = uniformStream(seed, promptIndex, sampleIndex, state);
          const codes = Array.from({ length: 1 + Math.floor(uniform() * (maxNewTokens - 1)) }, () =>
            Math.floor(uniform() * 8),
          );
          yield { type: 'completion', promptIndex, sampleIndex, codes, finished: true };
        }
      }
    },
    release: async () => undefined,
  };
}

/** What a run remembers of the files it is writing goes with it, as a process's memory does. */
const memory = vi.hoisted(() => ({ atomic: {} as typeof Atomic }));
vi.mock('../../lib/checkpoint/atomic.js', async (importOriginal) => {
  memory.atomic = await importOriginal<typeof Atomic>();
  const forward =
    (name: string) =>
    (...args: unknown[]): unknown =>
      (Reflect.get(memory.atomic, name) as (...args: unknown[]) => unknown)(...args);
  return Object.fromEntries(Object.keys(memory.atomic).map((name) => [name, forward(name)]));
});

async function forgetFiles(): Promise<void> {
  vi.resetModules();
  memory.atomic = await vi.importActual<typeof Atomic>('../../lib/checkpoint/atomic.js');
}

/** Loaded once: after files are forgotten they would come with another TensorFlow.js than that of the tiny policy. */
vi.mock('../../lib/cli/commands.js', (): typeof Commands => ({
  makeCommands: (_first, { signal }) =>
    Promise.resolve([['Experiments:', [...experimentCommands(signal), resumeCommand(signal)]]]),
}));
vi.mock('../../lib/jobs/open.js', async (importOriginal) => ({
  ...(await importOriginal<typeof Open>()),
  openDevice: () => ({
    device: tiny.device,
    computing: { name: 'cpu', description: 'the CPU, one of the test', reason: 'given' },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }),
  openPolicy: (): Promise<Policy> => Promise.resolve({ ...tiny.policy, weights: copyWeights(firstWeights) }),
  openModel: (policy: Policy): Promise<SpeakingModel> => {
    const { partner, codec } = tiny;
    const sampler = guessingSampler(policy);
    return Promise.resolve({
      policy,
      sampler,
      partner,
      codec,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
}));
vi.mock('../../lib/jobs/prompts.js', (): typeof Prompts => ({
  checkPartnerReads: () => undefined,
  openPrompts: (_policy, _sources, counts) =>
    Promise.resolve({ train: tiny.train.slice(0, counts.train), test: tiny.test.slice(0, counts.test) }),
}));

let complained: string;
beforeEach(() => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    complained += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

async function run(...args: string[]): Promise<number> {
  complained = '';
  return main(args, new AbortController().signal);
}

const start = (output: string) => run('even-token', '--output', output, ...ARGUMENTS.split(' '));

/** Every content that each of the undisturbed run's files has at some moment, and has at the end. */
async function watchUndisturbed() {
  const output = temporaryFolder();
  const versions = new Map<string, Set<string>>();
  const steps: string[] = [];
  const look = () => {
    for (const [name, content] of readRunFiles(output)) {
      if (!versions.has(name)) versions.set(name, new Set());
      versions.get(name)!.add(content);
    }
  };
  breakDisk('none', 0, {
    onStep(name) {
      steps.push(name);
      look();
    },
  });
  expect(await start(output), complained).toBe(0);
  breakDisk('none');
  look();
  return { steps, versions, files: readRunFiles(output) };
}

/** Starts a run whose disk fails at a step; the exit code, or none of a run that is gone. */
async function startBroken(output: string, fault: (typeof FAULTS)[number], at: number) {
  const gone = new Promise<void>((resolve) => breakDisk(fault, at, { onGone: resolve }));
  // A run that has not noticed yet that it is gone is given a moment.
  const code = await Promise.race([start(output), gone.then(() => sleep(20))]);
  breakDisk('none');
  if (fault === 'gone') await forgetFiles();
  return code;
}

/** What goes wrong at a step; at most steps nothing, unless DISK_FAULTS is set. */
function faultsAt(index: number): readonly (typeof FAULTS)[number][] {
  if (EVERYWHERE.length > 0) return EVERYWHERE;
  return index % SPACING === 0 ? [FAULTS[(index / SPACING) % FAULTS.length]] : [];
}

function findLocks(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => name.startsWith('.lock_'));
  return names.map((name) => join(directory, name));
}

/** Files as they were at some moment of the undisturbed run, records that can be read, texts with an end. */
async function expectOldOrNew(output: string, versions: ReadonlyMap<string, ReadonlySet<string>>) {
  for (const [name, content] of readRunFiles(output)) {
    if (/\/\./.test(name)) continue;
    const seen = versions.get(name)!;
    // A line that was only half written does not count: it has no line feed.
    const isOldOrNew = name.endsWith('metrics.jsonl')
      ? [...seen, ''].includes(content.slice(0, content.lastIndexOf('\n') + 1))
      : seen.has(content);
    expect(isOldOrNew, `${name}: ${content.slice(0, 200)}`).toBe(true);
  }
  const directory = findRun(output);
  if (directory === undefined) return;
  const { directories } = await readRun(directory);
  if (readdirSync(directories.outputDirectory).includes('report.html'))
    expect(readFileSync(join(directories.outputDirectory, 'report.html'), 'utf8')).toMatch(/<\/html>\n$/);
}

it(
  'a run whose disk fails, or that is killed, at any step leaves the old state or the new one and can go on to the same end',
  async () => {
    const { steps, versions, files } = await watchUndisturbed();
    const events = files.get('model_output/metrics.jsonl')!;
    expect(events.match(/"type":"step"/g)).toHaveLength(2);
    expect(new Set(steps)).toEqual(
      new Set([
        'mkdir',
        'writeSync',
        'appendFileSync',
        'appendFile',
        'writeFile',
        'sync',
        'datasync',
        'rename',
        'rm',
      ]),
    );
    let runs = 0;
    for (const [index, name] of steps.entries()) {
      for (const fault of faultsAt(index)) {
        const what = `${fault} at step ${index + 1}, ${name}`;
        const output = temporaryFolder();
        const code = await startBroken(output, fault, index + 1);
        if (fault !== 'gone') {
          expect(code, `${what}: ${complained}`).toBe(74);
          expect(complained, what).toMatch(
            /^error: cannot write to .*: the disk (is full; make room there, or|reports an error;) choose another \(on the command line: --output\)\.\n$/m,
          );
        }
        await expectOldOrNew(output, versions);
        const directory = findRun(output);
        // What is a lock of this process would be one of a process that is gone.
        if (directory) for (const lock of findLocks(directory)) rmSync(lock);
        else rmSync(output, { recursive: true });
        const again = directory ? await run('resume', directory) : await start(output);
        expect(again, `${what}, then: ${complained}`).toBe(0);
        expect(readRunFiles(output), what).toEqual(files);
        rmSync(output, { recursive: true });
        runs += 1;
      }
    }
    console.log(`${steps.length} steps on the disk, ${runs} runs of which one went wrong`);
    expect(runs).toBeGreaterThan(10);
  },
  HOUR_MS,
);
