// What start.mjs, test.mjs and others share. Plain JavaScript on Node.js alone: it runs before anything is installed or built.
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const BUILD_STAMP = join(root, 'dist', '.built');
const BUILD_INPUTS = ['lib', 'scripts', 'recipes', 'bench', 'examples', 'package.json', 'tsconfig.json'];

/** Runs `npm ci` where node_modules is missing or older than package-lock.json. */
export async function installWhereMissing() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (existsSync(installed) && modifiedMs(installed) >= modifiedMs(join(root, 'package-lock.json'))) return;
  console.log('installing packages (npm ci)');
  // Within `npm pack --dry-run --json` those options would count here too.
  const args = ['ci', '--ignore-scripts', '--no-dry-run', '--no-json'];
  const npm = process.env.npm_execpath;
  await runOrExit(...(npm ? [process.execPath, [npm, ...args]] : ['npm', args]));
}

/** Compiles TypeScript into dist/ where a source is newer than the last build. */
export async function buildWhereStale() {
  const newestMs = Math.max(...BUILD_INPUTS.map((path) => newestModificationMs(join(root, path))));
  if (existsSync(BUILD_STAMP) && modifiedMs(BUILD_STAMP) >= newestMs) return;
  console.log('building');
  await build();
}

/** Compiles TypeScript into dist/, packs what reports contain, and makes the command line a program: npx runs it by its name. */
export async function build() {
  await runOrExit(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']);
  packPlotly();
  chmodSync(join(root, 'dist', 'lib', 'cli.js'), 0o755);
  writeFileSync(BUILD_STAMP, '');
}

/** plotly.js as a report contains it (lib/view/figure-html.ts). */
function packPlotly() {
  const folder = join(root, 'dist', 'lib', 'view');
  const script = readFileSync(join(root, 'node_modules', 'plotly.js-dist', 'plotly.js'));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'plotly.js.gz'), gzipSync(script, { level: 9 }));
}

/** Runs a Node.js program of the project and returns its exit code; signals are passed on. */
export function runNode(args) {
  return run(process.execPath, args);
}

async function runOrExit(command, args) {
  const code = await run(command, args);
  if (code !== 0) process.exit(code);
}

/**
 * Runs a program in the project's folder, with this terminal, and returns its exit code. Signals are passed on, also that of a terminal that
 * is closed; this process then ends with the program, whatever else it had to do.
 */
export function run(command, args, env = process.env) {
  const shell = process.platform === 'win32' && command === 'npm';
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', shell, env });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  let stopped = false;
  const passOn = (signal) => {
    stopped = true;
    child.kill(signal);
  };
  for (const signal of signals) process.on(signal, passOn);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (childCode, signal) => {
      for (const name of signals) process.off(name, passOn);
      const code = childCode ?? 128 + constants.signals[signal];
      if (stopped) process.exit(code);
      resolve(code);
    });
  });
}

function modifiedMs(path) {
  return statSync(path).mtimeMs;
}

function newestModificationMs(path) {
  if (!existsSync(path)) return 0;
  if (!statSync(path).isDirectory()) return modifiedMs(path);
  return Math.max(
    modifiedMs(path),
    ...readdirSync(path).map((name) => newestModificationMs(join(path, name))),
  );
}
