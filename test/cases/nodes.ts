/** Programs of this project under several versions of Node.js. */
import { execFileSync, spawn } from 'node:child_process';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Node {
  version: string;
  executable: string;
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A command that takes longer never ends: none of these does more than read a few files. */
const END_MS = 60_000;

/** The Node.js that runs the tests, and those that SPEECH_DPO_NODES names: executables, separated as PATH's folders are. */
export function nodes(): Node[] {
  const others = (process.env.SPEECH_DPO_NODES ?? '').split(delimiter).filter((path) => path !== '');
  return [process.execPath, ...others].map((executable) => ({
    executable,
    version: execFileSync(executable, ['--version'], { encoding: 'utf8' }).trim(),
  }));
}

export const CLI = fileURLToPath(new URL('../../dist/lib/cli.js', import.meta.url));
export const READ = fileURLToPath(new URL('read.mjs', import.meta.url));

/** Runs a script to its end; one that does not end is killed and has no exit code. */
export function runScript(
  { executable }: Node,
  args: readonly string[],
  { env, cwd }: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<Ended> {
  const child = spawn(executable, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: END_MS,
    killSignal: 'SIGKILL',
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}
