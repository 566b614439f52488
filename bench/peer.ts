/** A Python program of bench/peers as a child process that times one call whenever it is asked (bench/peers/peer.py). */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Setting } from './setting.js';

export interface Peer {
  /** Package versions by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** Seconds of one call. */
  time(): Promise<number>;
  close(): void;
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
  const child = spawn(python, ['-B', PEERS + script, JSON.stringify(setting), ...args]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let complaints = '';
  child.stderr.on('data', (text) => (complaints += text));
  child.on('error', (error) => (complaints += error.message));
  const answer = async <T>(): Promise<T> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${python} ${script} ended:\n${complaints.trim()}`);
    return JSON.parse(value) as T;
  };
  return {
    versions: await answer<Record<string, string>>(),
    async time() {
      child.stdin.write('\n');
      return (await answer<{ seconds: number }>()).seconds;
    },
    close: () => child.stdin.end(),
  };
}
