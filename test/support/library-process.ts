import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import { findPackageRoot } from '../../lib/package-root.js';

/** A process that ends with the test that started it. */
export interface ScriptProcess {
  child: ChildProcessWithoutNullStreams;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
}

/** Runs JavaScript in a process of its own, in which `await library('checkpoint/atomic.js')` is that module of the built library. */
export function runScript(script: string, environment: NodeJS.ProcessEnv = {}): ScriptProcess {
  const folder = pathToFileURL(join(findPackageRoot(), 'dist', 'lib', '/')).href;
  const whole = `const library = (path) => import(${JSON.stringify(folder)} + path);\n${script}`;
  return runNode(['--input-type=module', '--eval', whole], environment);
}

/** Runs the built command line in a process of its own. */
export function runCommand(args: readonly string[], environment: NodeJS.ProcessEnv = {}): ScriptProcess {
  return runNode([join(findPackageRoot(), 'dist', 'lib', 'cli.js'), ...args], environment);
}

function runNode(args: readonly string[], environment: NodeJS.ProcessEnv): ScriptProcess {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...environment } });
  onTestFinished(() => void child.kill('SIGKILL'));
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (texts[name] += text));
  const ended = new Promise<Awaited<ScriptProcess['ended']>>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...texts }));
  });
  return { child, ended };
}
