// Programs of the project that are run one after the other, and what is kept of each in a folder: what it printed, and how it ended.
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { root } from '../setup.mjs';
import { fingerprint } from './fingerprint.mjs';

/** A part that takes longer hangs. */
const MOST_MINUTES = 15;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * `code` is the fingerprint of what the part ran, and `gpus` is where, before it began; `machine` is what it printed of that.
 *
 * @typedef {{ name: string, command: string, code?: string, gpus?: string, passed: boolean, result: string, table: string[], machine?: string }} Part
 * @param folder where results.json, report.md and what each part printed are written
 * @param again forgets what the folder has
 * @param gpus what the machine has of GPUs, in words: of others no result is kept
 */
export function openParts(folder, { again = false, gpus = '', cwd = root, mostMinutes = MOST_MINUTES } = {}) {
  if (again) rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'results.json');
  /** Of this call and of earlier ones, which a part replaces when it is run again. @type {Map<string, Part>} */
  const known = new Map(existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []);
  /** Names of this call. */
  const asked = new Set();

  const keep = (part) => {
    known.set(part.name, part);
    writeFileSync(file, JSON.stringify([...known], undefined, 1));
    writeFileSync(join(folder, 'report.md'), `${report()}\n`);
  };
  const ofThisCall = () => [...asked].map((name) => known.get(name));

  /** Markdown: a table of the parts, and the rows that they printed. */
  function report() {
    const parts = ofThisCall();
    const checks = parts.map(({ name, result }) => `| ${name} | ${result} |`);
    const [head, line] = parts.find(({ table }) => table.length > 0)?.table ?? [];
    const machines = [...new Set(parts.flatMap(({ machine }) => machine ?? []))];
    return [
      '| check | result |',
      '| --- | --- |',
      ...checks,
      ...(head ? ['', head, line, ...parts.flatMap(({ table }) => table.slice(2))] : []),
      ...(machines.length > 0 ? ['', ...machines] : []),
    ].join('\n');
  }

  return {
    report,
    haveFailed: () => ofThisCall().some(({ passed }) => !passed),

    /**
     * Runs a program unless it has passed in an earlier call with the same arguments, the same code and the same GPUs, shows what it prints,
     * and keeps that and how it ended. Where an earlier call ran it, says why it runs again.
     *
     * @param of files and folders of the code whose result it is, from `cwd`
     * @param hasTable it prints a table as bench/gpu.ts does, with the machine in the last line
     */
    async run(name, args, { of = [], environment = {}, hasTable = false } = {}) {
      asked.add(name);
      const command = args.join(' ');
      const now = { command, code: fingerprint(cwd, of), gpus };
      const before = known.get(name);
      console.log(`\n# ${name}`);
      if (before) {
        const reason = whyAgain(before, now);
        if (!reason) return console.log(`kept: ${before.result}`);
        console.log(`again: ${reason}`);
      }
      const start = performance.now();
      const log = createWriteStream(join(folder, `${name.replaceAll(/[^a-z0-9]+/gi, '-')}.txt`));
      const { end, printed } = await runNode(args, {
        cwd,
        environment,
        mostMinutes,
        onText: (text) => log.write(text),
      });
      log.end();
      const seconds = ((performance.now() - start) / 1000).toFixed(0);
      const passed = end === 0;
      const result = passed
        ? `passed in ${seconds} s, ${new Date().toISOString().slice(0, 16)}`
        : `FAILED (${end}) after ${seconds} s`;
      const lines = passed && hasTable ? printed.trimEnd().split('\n') : [];
      keep({
        name,
        ...now,
        passed,
        result,
        table: lines.filter((line) => line.startsWith('|')),
        machine: lines.at(-1),
      });
    },

    /** Notes what cannot be run, and why. */
    skip(name, reason) {
      asked.add(name);
      keep({ name, command: '', passed: true, result: `skipped: ${reason}`, table: [] });
    },

    /** What a program prints, line by line; it must end well. */
    async linesOf(args) {
      const { end, printed } = await runNode(args, { cwd, mostMinutes, quiet: true });
      if (end !== 0) throw new Error(`node ${args.join(' ')} ended with ${end}`);
      return printed.trim().split('\n');
    },
  };
}

/** Why what an earlier call kept of a part does not hold, as a sentence; undefined where it does. */
function whyAgain(had, now) {
  if (had.command === '') return `an earlier call left it out (${had.result})`;
  if (!had.passed) return `the last time it ${had.result}`;
  if (had.command !== now.command) return 'it is called with other arguments than the last time';
  if (had.code !== now.code) return `the code has changed since it ${had.result}`;
  if (had.gpus !== now.gpus)
    return `it ${had.result}, on ${had.gpus || 'no GPU'}, and here is ${now.gpus || 'none'}`;
  return undefined;
}

/** Its exit code, or the signal that ended it, and its standard output. What it started ends with it, and leaves the GPU to the next. */
async function runNode(
  args,
  { cwd, environment = {}, mostMinutes, onText = (_) => undefined, quiet = false },
) {
  const child = spawn(process.execPath, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
    // A group of its own, with its children; a terminal's Ctrl-C does not reach it.
    detached: true,
  });
  const endAll = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // None of them is left, or this system has no groups.
      child.kill('SIGKILL');
    }
  };
  const interrupted = (signal) => {
    endAll();
    process.exit(128 + constants.signals[signal]);
  };
  const limit = setTimeout(endAll, mostMinutes * 60_000);
  for (const signal of SIGNALS) process.on(signal, interrupted);
  let printed = '';
  child.stdout.on('data', (text) => {
    printed += text;
    onText(text);
    if (!quiet) process.stdout.write(text);
  });
  child.stderr.on('data', (text) => {
    onText(text);
    process.stderr.write(text);
  });
  child.on('exit', endAll);
  const end = await new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));
  clearTimeout(limit);
  for (const signal of SIGNALS) process.off(signal, interrupted);
  return { end, printed };
}
