import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PTX } from '../../../lib/engine/devices/cuda/ptx.js';
import { hashOf } from '../../../scripts/ptx.mjs';
import { temporaryFolder } from '../../support/temporary-folder.js';

const path = (name: string) =>
  fileURLToPath(new URL(`../../../lib/engine/devices/cuda/${name}`, import.meta.url));
/** NVIDIA's assembler: PTXAS names it, or it is on the PATH. */
const PTXAS = process.env.PTXAS ?? 'ptxas';
const hasAssembler = spawnSync(PTXAS, ['--version']).status === 0;

it('the committed PTX is that of its source: npm run ptx', () => {
  const hash = hashOf(readFileSync(path('kernels.cu'), 'utf8'));
  expect(readFileSync(path('ptx.ts'), 'utf8')).toContain(`SHA-256 of kernels.cu: ${hash}`);
});

it('has the kernels with their parameters, for every GPU that CUDA 13 serves, and fuses nothing of AdamW', () => {
  expect(PTX).toMatch(/^\.version 8\.0\n\.target sm_75\n/);
  const entries = [...PTX.matchAll(/\.visible \.entry (\w+)\(([^)]*)\)/g)];
  const kinds = entries.map(([, name, parameters]) => [name, [...parameters.matchAll(/\.param \.(\w+)/g)].map(([, kind]) => kind)]); // prettier-ignore
  expect(Object.fromEntries(kinds)).toEqual({
    accumulate: ['u64', 'u64', 'u64'],
    sum_of_squares: ['u64', 'u64', 'u64'],
    adamw: [...Array<string>(5).fill('u64'), ...Array<string>(8).fill('f32')],
  });
  expect(PTX).not.toMatch(/fma\.rn(\.ftz)?\.f32|approx/);
});

describe.skipIf(!hasAssembler)('NVIDIA’s assembler', () => {
  it.each(['sm_75', 'sm_80', 'sm_90'])('takes it for %s', (architecture) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'kernels.ptx'), PTX);
    const args = [`-arch=${architecture}`, '-o', join(folder, 'kernels.cubin'), join(folder, 'kernels.ptx')];
    const { status, stderr } = spawnSync(PTXAS, args, { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
