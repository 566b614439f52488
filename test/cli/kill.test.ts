/**
 * Runs that are killed, interrupted, on a failing disk, or at the same time, by the real command line in processes of its own. The
 * ordinary run takes a few moments of each; KILL_RUNS=50 FAULT_RUNS=40 npx vitest run test/cli/kill.test.ts takes that many.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRun } from '../../lib/run/run-files.js';
import { uniformStream } from '../../lib/random.js';
import {
  findRun,
  installCopy,
  readRunFiles,
  readSteps,
  startArguments,
  waitForStep,
  type Ended,
  type RunCli,
} from '../support/interrupted-run.js';
import { writeTinyModel } from '../support/tiny-model.js';

const KILL_RUNS = Number(process.env.KILL_RUNS ?? 2);
const FAULT_RUNS = Number(process.env.FAULT_RUNS ?? 1);
const FAULTS = ['ENOSPC', 'EIO', 'short', 'full'];
const HOUR_MS = 3_600_000;

let folder: string;
let model: string;
let runCli: RunCli;
let undisturbed: Map<string, string>;
let steps: string[];
let seconds: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'speech-dpo-test-'));
  runCli = installCopy(join(folder, 'program'));
  model = join(folder, 'model');
  mkdirSync(model);
  await writeTinyModel(model);
  const log = join(folder, 'steps');
  const startMs = performance.now();
  const { code, stderr } = await runCli(startArguments(model, join(folder, 'undisturbed')), { log });
  seconds = (performance.now() - startMs) / 1000;
  expect(code, stderr).toBe(0);
  undisturbed = readRunFiles(join(folder, 'undisturbed'));
  steps = readSteps(log);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Goes on with the run under `output`, or starts it where it did not get so far. */
function goOn(output: string): Promise<Ended> {
  const run = findRun(output);
  if (run) return runCli(['resume', run]);
  rmSync(output, { recursive: true, force: true });
  return runCli(startArguments(model, output));
}

async function expectUndisturbedEnd(output: string): Promise<void> {
  const { code, stderr } = await goOn(output);
  expect(code, stderr).toBe(0);
  const files = readRunFiles(output);
  expect([...files.keys()]).toEqual([...undisturbed.keys()]);
  for (const [name, content] of files) expect(content === undisturbed.get(name), name).toBe(true);
}

/** What a run leaves behind at any moment: files as the undisturbed run has them, or nothing; the list of events up to some event. */
function expectOldOrNew(output: string): void {
  for (const [name, content] of readRunFiles(output)) {
    if (/\/\.|\/training\/|evaluations\.json$|audio\.json$/.test(name)) continue;
    if (name.endsWith('metrics.jsonl')) {
      const whole = content.slice(0, content.lastIndexOf('\n') + 1);
      expect(undisturbed.get(name)!.startsWith(whole), name).toBe(true);
    } else {
      expect(content === undisturbed.get(name), name).toBe(true);
    }
  }
}

it('trains in both iterations, or nothing below would be tested', () => {
  const events = undisturbed.get('model_output/metrics.jsonl')!;
  expect(events.match(/"type":"step"/g)).toHaveLength(4);
  expect(undisturbed.has('model_output/iter_1/dpo_model/model.safetensors')).toBe(true);
});

describe('a run that is killed comes to the same files when it is resumed', () => {
  it.each(Array.from({ length: KILL_RUNS }, (_, i) => i))(
    'kill %i',
    async (number) => {
      const output = join(folder, `killed_${number}`);
      const uniform = uniformStream(7, number);
      // Every other time at a step on the disk, of one kind after the other, else at any time, and the resumed run once more.
      const kinds = [...new Set(steps)];
      const kind = kinds[Math.floor(number / 2) % kinds.length];
      const ofKind = [...steps.keys()].filter((step) => steps[step] === kind);
      const at = 1 + ofKind[Math.floor(uniform() * ofKind.length)];
      const delayMs = 1000 * seconds * uniform();
      const ended =
        number % 2 === 0
          ? await runCli(startArguments(model, output), { fault: `kill:${at}` })
          : await runCli(startArguments(model, output), {
              then: (child) => setTimeout(() => child.kill('SIGKILL'), delayMs),
            });
      expect(ended.signal === 'SIGKILL' || ended.code === 0, ended.stderr).toBe(true);
      const run = findRun(output);
      if (run && number % 4 === 0)
        await runCli(['resume', run], { fault: `kill:${1 + Math.floor(uniform() * steps.length)}` });
      await expectUndisturbedEnd(output);
      rmSync(output, { recursive: true });
    },
    HOUR_MS,
  );
});

describe('a disk that fails leaves the old state or the new one, says so, and the run can go on', () => {
  it.each(Array.from({ length: FAULT_RUNS }, (_, i) => i))(
    'failure %i',
    async (number) => {
      const output = join(folder, `failed_${number}`);
      const uniform = uniformStream(8, number);
      const fault = `${FAULTS[number % FAULTS.length]}:${1 + Math.floor(uniform() * steps.length)}`;
      const { code, stderr } = await runCli(startArguments(model, output), { fault });
      expect([0, 74], `${fault}: ${stderr}`).toContain(code);
      if (code === 74) expect(stderr, fault).toMatch(/error: .*(full|disk|ENOSPC|EIO)[^\n]*\n$/);
      expectOldOrNew(output);
      await expectUndisturbedEnd(output);
      rmSync(output, { recursive: true });
    },
    HOUR_MS,
  );
});

describe('a run that is interrupted comes to the same files when it is resumed', () => {
  const interrupted = (output: string) => {
    const directory = relative(process.cwd(), findRun(output)!);
    return `What is complete is kept. To go on: npx speech-dpo resume ${directory}\ninterrupted\n`;
  };

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s once ends it in good order',
    async (signal) => {
      const output = join(folder, signal);
      const log = join(folder, `${signal}_steps`);
      const { code, stderr } = await runCli(startArguments(model, output), {
        log,
        then: async (child) => {
          await waitForStep(child, log, Math.ceil(steps.length / 2));
          child.kill(signal);
        },
      });
      expect(code, stderr).toBe(130);
      expect(stderr).toBe(interrupted(output));
      expect((await readRun(findRun(output)!)).record.state).toBe('interrupted');
      await expectUndisturbedEnd(output);
    },
    HOUR_MS,
  );

  it(
    'SIGINT twice ends it at once, even while it waits for the disk',
    async () => {
      const output = join(folder, 'twice');
      const log = join(folder, 'twice_steps');
      const hangs = steps.lastIndexOf('rename', Math.floor(steps.length / 2)) + 1;
      let wasAlive = false;
      const { code, stderr } = await runCli(startArguments(model, output), {
        fault: `hang:${hangs}`,
        log,
        then: async (child) => {
          await waitForStep(child, log, hangs);
          child.kill('SIGINT');
          // A signal that comes sooner is taken for the same one, delivered by npm as well.
          await sleep(1200);
          wasAlive = child.exitCode === null;
          child.kill('SIGINT');
        },
      });
      expect(wasAlive, stderr).toBe(true);
      expect(code).toBe(130);
      expect((await readRun(findRun(output)!)).record.state).toBe('running');
      await expectUndisturbedEnd(output);
    },
    HOUR_MS,
  );
});

/** Whether Python can open a terminal. */
const hasTerminals = spawnSync('python3', ['-c', 'import pty']).status === 0;
if (!hasTerminals) console.warn('Skipped: closing a terminal under a run takes python3 with pty.');

it.skipIf(!hasTerminals)(
  'a run whose terminal is closed ends in good order and can go on',
  () => {
    const output = join(folder, 'terminal');
    // Opens a terminal, runs the command line in it, closes it behind the first line, and ends with the command's exit code.
    const program = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
while b"\\n" not in os.read(terminal, 4096): pass
os.close(terminal)
status = os.waitpid(pid, 0)[1]
sys.exit(-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))`;
    const cli = join(folder, 'program', 'dist', 'lib', 'cli.js');
    const args = ['-c', program, process.execPath, cli, ...startArguments(model, output)];
    const { status, stderr } = spawnSync('python3', args, { encoding: 'utf8' });
    expect(status, stderr).toBe(130);
    return expectUndisturbedEnd(output);
  },
  HOUR_MS,
);

describe('a run whose standard output', () => {
  it(
    'is not read any more goes on to the same files',
    async () => {
      const output = join(folder, 'unread');
      const { code, stderr } = await runCli(startArguments(model, output), {
        stdout: 'pipe',
        then: (child) => child.stdout!.once('data', () => child.stdout!.destroy()),
      });
      expect(code, stderr).toBe(0);
      expect(stderr).toBe('');
      const files = readRunFiles(output);
      expect([...files.keys()]).toEqual([...undisturbed.keys()]);
      for (const [name, content] of files) expect(content === undisturbed.get(name), name).toBe(true);
    },
    HOUR_MS,
  );

  it.skipIf(!existsSync('/dev/full'))(
    'goes to a full disk ends in good order, says so, and can go on',
    async () => {
      const output = join(folder, 'full');
      const full = openSync('/dev/full', 'w');
      const { code, stderr } = await runCli(startArguments(model, output), { stdout: full });
      closeSync(full);
      expect(code, stderr).toBe(74);
      const directory = relative(process.cwd(), findRun(output)!);
      expect(stderr).toBe(
        `What is complete is kept. To go on: npx speech-dpo resume ${directory}\n` +
          'error: cannot write standard output: the disk is full\n',
      );
      await expectUndisturbedEnd(output);
    },
    HOUR_MS,
  );
});

describe('two runs that start at once in the same folder', () => {
  it('do not touch each other, and both come to the same files', async () => {
    const output = join(folder, 'together');
    const both = await Promise.all([1, 2].map(() => runCli(startArguments(model, output))));
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(readdirSync(join(output, 'output'))).toHaveLength(2);
    for (const index of [0, 1]) {
      const files = readRunFiles(output, index);
      for (const [name, content] of files) expect(content === undisturbed.get(name), name).toBe(true);
      expect([...files.keys()]).toEqual([...undisturbed.keys()]);
    }
  });
});
