// `npm run gpu-check`: what a GPU has to show, part by part, and one table: the device's self-test, numbers of transformers and TRL, the GPU's
// tests, and each row of the GPU's benchmark.
//
//     npm run gpu-check -- --golden ../shared/golden/bart --python python3 [options of bench/gpu.ts]
//
// Each part is a process of its own, which another's failure does not reach. What a part printed and how it ended is in the folder --out as
// soon as it ends: a second call goes on with the parts that have not passed with this code on these GPUs. --again starts over.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findDriver } from './gpu/driver.mjs';
import { openParts } from './gpu/parts.mjs';
import { buildWhereStale, installWhereMissing, root } from './setup.mjs';

/** What every part runs, and what brings the packages that it runs on. */
const CODE = ['dist/lib', 'package-lock.json', 'requirements-gpu.txt'];
const VENV = join(root, '.cache', 'venv-bench', 'bin', 'python');
const OPTIONS = /** @type {const} */ ({
  device: { type: 'string', default: 'cuda' },
  golden: { type: 'string', default: join(root, '..', 'shared', 'golden', 'bart') },
  python: { type: 'string', default: process.env.BENCH_PYTHON ?? (existsSync(VENV) ? VENV : undefined) },
  sizes: { type: 'string', default: 'small,base' },
  only: { type: 'string', default: '' },
  model: { type: 'string' },
  nisqa: { type: 'string' },
  out: { type: 'string', default: join(root, '.cache', 'gpu-check') },
  again: { type: 'boolean', default: false },
});
const options = readOptions();

await installWhereMissing();
await buildWhereStale();
const { device, golden, out, again, ...benchOptions } = options;
const given = Object.entries({ device, ...benchOptions }).flatMap(([name, value]) =>
  value ? [`--${name}`, value] : [],
);
const bench = ['dist/bench/gpu.js', ...given];
const driver = findDriver();
const { CUDA_VISIBLE_DEVICES: visible } = process.env;
const chosen = visible === undefined ? '' : `, CUDA_VISIBLE_DEVICES=${visible}`;
const gpus = driver ? `${driver.gpus.join(', ')} (driver ${driver.version}${chosen})` : '';
const parts = openParts(out, { again, gpus });
const rows = await parts.linesOf([...bench, '--list']).catch((error) => {
  console.error(`error: npm run gpu-check: ${error.message}`);
  process.exit(2);
});

// Which fails where the device that is named does not work.
await parts.run('doctor', ['dist/lib/cli.js', 'doctor'], {
  of: CODE,
  environment: { SPEECH_DPO_DEVICE: device },
});
if (existsSync(golden))
  await parts.run(
    'numbers of transformers and TRL',
    ['dist/lib/cli.js', 'verify', golden, '--device', device],
    { of: CODE },
  );
else parts.skip('numbers of transformers and TRL', `${golden} is not there (--golden names another)`);
await parts.run('tests on the GPU', ['node_modules/vitest/vitest.mjs', 'run', 'test/engine/cuda'], {
  of: [...CODE, 'test', 'dist/bench'],
  environment: { SPEECH_DPO_REQUIRE_GPU: '1' },
});
if (!options.python) parts.skip('PyTorch beside each row', 'no Python is named (--python)');
if (!options.model || !options.nisqa)
  parts.skip('a whole iteration', '--model and --nisqa name what it needs (docs/performance.md)');
// The last --only counts.
for (const row of rows)
  await parts.run(row, [...bench, '--only', row], {
    of: [...CODE, 'dist/bench', 'bench/peers'],
    hasTable: true,
  });

console.log(`\n${parts.report()}`);
process.exitCode = parts.haveFailed() ? 1 : 0;

/**
 * Ends the process in one sentence where they are wrong.
 *
 * @returns {Partial<Record<Exclude<keyof typeof OPTIONS, 'again'>, string>> & { again: boolean }}
 */
function readOptions() {
  try {
    return /** @type {any} */ (parseArgs({ options: OPTIONS }).values);
  } catch (error) {
    const names = Object.keys(OPTIONS).map((name) => `--${name}`);
    console.error(`error: npm run gpu-check: ${error.message}; its options are ${names.join(', ')}`);
    return process.exit(2);
  }
}
