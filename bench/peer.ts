/** A child process that times one call whenever it is asked: a Python program of bench/peers (bench/peers/peer.py), or one of ours. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Setting } from './setting.js';

export interface Peer {
  /** Package versions by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** Seconds of one call. */
  time(): Promise<number>;
  /** Bytes of memory that its process held at most so far (VmHWM); nothing where the system keeps no such count, as Linux does. */
  peakBytes(): Promise<number | undefined>;
  /** Fulfilled when the process is gone. */
  close(): Promise<void>;
}

/** Makes the Python that the bench looks for. */
export const INSTALL =
  'python3 -m venv .cache/venv-bench && .cache/venv-bench/bin/pip install -r bench/peers/requirements.txt';

const PYTHON = '.cache/venv-bench/bin/python';

/** The Python that runs the peers: the given one, BENCH_PYTHON's or the one that {@link INSTALL} makes, if any. */
export function findPython(given: string | undefined): string | undefined {
  return given ?? process.env.BENCH_PYTHON ?? (existsSync(PYTHON) ? PYTHON : undefined);
}

/** Compiled to dist/bench/; the Python files stay where they are. */
const PEERS = fileURLToPath(new URL('../../bench/peers/', import.meta.url));

/** @throws if the program ends before it answers, with what it wrote to standard error */
export async function openPeer(
  python: string,
  script: string,
  setting: Setting,
  ...args: string[]
): Promise<Peer> {
  return openProgram(python, ['-B', PEERS + script, JSON.stringify(setting), ...args], script);
}

/**
 * Starts a program that says its versions in a line of JSON and then answers each line with `{"seconds": ...}` of one call.
 *
 * @param name what complaints call it
 * @throws if the program ends before it answers, with what it wrote to standard error
 */
export async function openProgram(command: string, args: readonly string[], name: string): Promise<Peer> {
  const child = spawn(command, args);
  const ended = once(child, 'close').catch(() => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let complaints = '';
  child.stderr.on('data', (text) => (complaints += text));
  child.on('error', (error) => (complaints += error.message));
  const answer = async <T>(): Promise<T> => {
    const { value, done } = await lines.next();
    if (done) {
      await ended;
      throw new Error(`${command} ${name} ended:\n${complaints.trim()}`);
    }
    return JSON.parse(value) as T;
  };
  return {
    versions: await answer<Record<string, string>>(),
    async time() {
      child.stdin.write('\n');
      return (await answer<{ seconds: number }>()).seconds;
    },
    async peakBytes() {
      if (process.platform !== 'linux') return undefined;
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return 1024 * Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)![1]);
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
