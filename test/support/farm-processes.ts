/** Workers and trainers as processes of their own, by the real command line. */
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPackageRoot } from '../../lib/package-root.js';

/** A copy of the built program, so that a build meanwhile does not matter; of another version where one is named. */
export function installProgram(folder: string, version?: string): string {
  const root = findPackageRoot();
  mkdirSync(folder, { recursive: true });
  for (const part of ['dist', 'models']) cpSync(join(root, part), join(folder, part), { recursive: true });
  const described = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ ...described, version: version ?? described.version }),
  );
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  return join(folder, 'dist', 'lib', 'cli.js');
}

export interface Started {
  child: ChildProcess;
  /** What it printed so far. */
  readonly said: string;
  ended: Promise<{ code: number | null; said: string }>;
}

/** Starts a program with one thread. */
export function startProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SPEECH_DPO_THREADS: '1', ...env },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<{ code: number | null; said: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, said }));
  });
  return {
    child,
    ended,
    get said() {
      return said;
    },
  };
}
