// `npm run gpu-check`: what a GPU has to show, in one go and one table: numbers of transformers and TRL, the GPU's tests, the GPU's benchmark.
//
//     npm run gpu-check -- --golden ../shared/golden/bart --python python3 [options of bench/gpu.ts]
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildWhereStale, installWhereMissing, root } from './setup.mjs';

const OPTIONS = /** @type {const} */ ({
  device: { type: 'string', default: 'cuda' },
  golden: { type: 'string', default: join(root, '..', 'shared', 'golden', 'bart') },
  python: { type: 'string', default: process.env.BENCH_PYTHON },
  sizes: { type: 'string', default: 'small,base' },
  only: { type: 'string', default: '' },
  model: { type: 'string' },
  nisqa: { type: 'string' },
});
const options = readOptions();

await installWhereMissing();
await buildWhereStale();
const { device, golden, ...benchOptions } = options;
const given = Object.entries(benchOptions).flatMap(([name, value]) => (value ? [`--${name}`, value] : []));
const rows = [];

await check('doctor', ['dist/lib/cli.js', 'doctor']);
if (existsSync(golden))
  await check('numbers of transformers and TRL', ['dist/lib/cli.js', 'verify', golden, '--device', device]);
else
  rows.push(['numbers of transformers and TRL', `skipped: ${golden} is not there (--golden names another)`]);
await check('tests on the GPU', ['node_modules/vitest/vitest.mjs', 'run', 'test/engine/cuda'], {
  SPEECH_DPO_REQUIRE_GPU: '1',
});
await check('benchmark', ['dist/bench/gpu.js', '--device', device, ...given]);

console.log('\n| check | result |\n| --- | --- |');
for (const row of rows) console.log(`| ${row.join(' | ')} |`);
process.exitCode = rows.some(([, result]) => result.startsWith('FAIL')) ? 1 : 0;

/** Runs a program of the project, shows what it prints, and notes its end and the last line. */
async function check(name, args, environment = {}) {
  console.log(`\n# ${name}`);
  const start = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environment },
  });
  const code = await new Promise((resolve) => child.on('exit', (exit, signal) => resolve(exit ?? signal)));
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  rows.push([name, code === 0 ? `passed in ${seconds} s` : `FAILED (${code}) after ${seconds} s`]);
}

/**
 * Ends the process in one sentence where they are wrong.
 *
 * @returns {Partial<Record<keyof typeof OPTIONS, string>>}
 */
function readOptions() {
  try {
    return /** @type {Record<string, string>} */ (parseArgs({ options: OPTIONS }).values);
  } catch (error) {
    const names = Object.keys(OPTIONS).map((name) => `--${name}`);
    console.error(`error: npm run gpu-check: ${error.message}; its options are ${names.join(', ')}`);
    return process.exit(2);
  }
}
