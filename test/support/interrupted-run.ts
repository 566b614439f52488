import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findPackageRoot } from '../../lib/package-root.js';

const FAULTY_DISK = new URL('./faulty-disk.mjs', import.meta.url).href;

/** A run of moments in which everything happens: two iterations, two steps each with a checkpoint, validation, audio. */
const SMALL = (
  '--iterations 2 --train-prompts 2 --test-prompts 1 --audio-prompts 1 --sample-size 3 --num-eval 4 --max-new-tokens 40 ' +
  '--epochs 2 --checkpoint-minutes 0 --pairs-per-prompt 1 --batch-size 2 --learning-rate 0.01 --beta 0.003 --rpo-alpha 0'
).split(' ');

export const startArguments = (model: string, output: string) => [
  ...['even-token', '--model', model, '--output', output],
  ...SMALL,
];

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

export interface ProcessOptions {
  /** What goes wrong on its disk, see faulty-disk.mjs. */
  fault?: string;
  /** File that gets a line for each step on the disk. */
  log?: string;
  /** Where standard output goes; default: nowhere. */
  stdout?: 'ignore' | 'pipe' | number;
  /** Gets the process as soon as it is there. */
  then?: (child: ChildProcess) => void;
}

/** Runs the command line in a process of its own. */
export type RunCli = (args: readonly string[], options?: ProcessOptions) => Promise<Ended>;

/** Copies the built program to a folder, so that a build meanwhile does not matter. */
export function installCopy(folder: string): RunCli {
  const root = findPackageRoot();
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  const cli = join(folder, 'dist', 'lib', 'cli.js');
  return (args, { fault = 'none:0', log = '', stdout = 'ignore', then } = {}) => {
    const stdio: StdioOptions = ['ignore', stdout, 'pipe'];
    const child: ChildProcess = spawn(process.execPath, ['--import', FAULTY_DISK, cli, ...args], {
      stdio,
      env: { ...process.env, SPEECH_DPO_THREADS: '1', FAULTY_DISK: fault, FAULTY_DISK_LOG: log },
    });
    let stderr = '';
    child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    then?.(child);
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ code, signal, stderr }));
    });
  };
}

/** The steps on the disk that a process has logged. */
export function readSteps(log: string): string[] {
  return existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : [];
}

/** Waits until a process has logged that many steps, or has ended. */
export async function waitForStep(child: ChildProcess, log: string, count: number): Promise<void> {
  while (child.exitCode === null && child.signalCode === null && readSteps(log).length < count)
    await sleep(5);
}

/** The model directory of the only run under `output`; undefined before there is one that can be resumed. */
export function findRun(output: string): string | undefined {
  const folder = join(output, 'model_output');
  const [name] = existsSync(folder) ? readdirSync(folder) : [];
  const directory = name === undefined ? undefined : join(folder, name);
  return directory !== undefined && existsSync(join(directory, 'run.json')) ? directory : undefined;
}

/** Files that tell of the run's name, of times or of interruptions. */
const OF_ITS_OWN = /(^|\/)(run\.json|log_training\.log|report\.html|README\.md)$/;

/** All files of a run (the first by name, or another) that must not depend on interruptions, by path, without the run's name. */
export function readRunFiles(output: string, index = 0): Map<string, string> {
  const files = new Map<string, string>();
  for (const top of ['model_output', 'output']) {
    const name = existsSync(join(output, top)) ? readdirSync(join(output, top)).sort()[index] : undefined;
    if (name === undefined) continue;
    const folder = join(output, top, name);
    for (const entry of readdirSync(folder, { recursive: true }).map(String).sort()) {
      const path = join(folder, entry);
      if (statSync(path).isFile() && !OF_ITS_OWN.test(entry))
        files.set(`${top}/${relative(folder, path)}`, readFileSync(path, 'latin1'));
    }
  }
  return files;
}
