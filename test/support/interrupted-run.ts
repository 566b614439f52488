import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { findPackageRoot } from '../../lib/package-root.js';

const CLI = join(findPackageRoot(), 'dist', 'lib', 'cli.js');
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

/** Runs the command line in a process of its own; `kill` gets it as soon as it is there. */
export function runCli(
  args: readonly string[],
  {
    fault = '',
    log = '',
    kill,
  }: { fault?: string; log?: string; kill?: (child: ReturnType<typeof spawn>) => void } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', FAULTY_DISK, CLI, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, SPEECH_DPO_THREADS: '1', FAULTY_DISK: fault || 'count:0', FAULTY_DISK_LOG: log },
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  kill?.(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stderr }));
  });
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
