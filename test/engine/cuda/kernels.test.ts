/** kernels.cu itself, compiled for the CPU, where there is a C++ compiler. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { canRunHostCuda } from '../../support/host-cuda.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const SOURCE = fileURLToPath(new URL('../../support/kernels-on-cpu.cpp', import.meta.url));
const hasCompiler = canRunHostCuda && spawnSync('c++', ['--version']).status === 0;

it.skipIf(!hasCompiler)('the kernels compute what plain loops do, for any count', () => {
  const program = join(temporaryFolder(), 'kernels');
  // Whole operations, as the kernels' __fmul_rn and its kin are.
  const options = ['-O1', '-ffp-contract=off', '-w', '-o', program, SOURCE];
  const compiled = spawnSync('c++', options, { encoding: 'utf8' });
  expect(compiled.status, compiled.stderr).toBe(0);
  const { status, stdout } = spawnSync(program, { encoding: 'utf8' });
  expect(status, stdout).toBe(0);
  expect(stdout.match(/the same bits/g)).toHaveLength(3);
});
