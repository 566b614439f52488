import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathFromEnvironment } from '../checkpoint/environment.js';
import { findPackageRoot } from '../package-root.js';

const VARIABLE = 'SPEECH_DPO_PYTHON';
const [SYSTEM_PYTHON, IN_ENVIRONMENT] =
  process.platform === 'win32' ? ['python', 'Scripts/python.exe'] : ['python3', 'bin/python'];

/**
 * The Python that runs optional tools: the one given, else the environment variable SPEECH_DPO_PYTHON, else the virtual environment
 * .venv of the working folder or of this package, else the system's.
 */
export function findPython(explicit?: string): string {
  const asked = explicit || pathFromEnvironment(VARIABLE);
  if (asked) return asked;
  const environments = [process.cwd(), findPackageRoot()].map((root) => join(root, '.venv', IN_ENVIRONMENT));
  return environments.find(existsSync) ?? SYSTEM_PYTHON;
}

/** The command that makes packages importable for {@link findPython}: into the Python asked for, else into a new .venv. */
export function installCommand(requirements: string, explicit?: string): string {
  const python = findPython(explicit);
  if (python !== SYSTEM_PYTHON) return `${python} -m pip install ${requirements}`;
  return `python3 -m venv .venv && ${join('.venv', IN_ENVIRONMENT)} -m pip install ${requirements}`;
}

/** Kills a child when this process exits: one that computes would not notice, and go on for nobody. */
export function endWithProcess(child: ChildProcess): void {
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('close', () => process.off('exit', kill));
}

/**
 * Runs a Python program to its end, or to that of this process.
 *
 * @param input goes to its standard input
 * @returns its standard output
 * @throws Error with what it wrote to standard error, when it fails or cannot be started
 */
export function runPython(
  python: string,
  args: readonly string[],
  input: Uint8Array = new Uint8Array(0),
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(python, args);
    endWithProcess(child);
    let [output, complaints] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
    child.on('error', (error) =>
      reject(new Error(`cannot run ${python}: ${error.message}`, { cause: error })),
    );
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(complaints.trim() || `${python} ended with ${signal ?? `code ${code}`}`));
    });
    // A program that ends without reading says why itself.
    child.stdin.on('error', () => undefined).end(input);
  });
}
