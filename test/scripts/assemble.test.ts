import { expect, it } from 'vitest';
import { GRIFFIN_LIM_KERNEL } from '../../lib/codec/spectral/griffin-lim-kernel.js';
import { ADAMW_KERNEL } from '../../lib/engine/devices/cpu/adamw-kernel.js';
import { TOP_K_KERNEL } from '../../lib/policy/top-k-kernel.js';
import { assemble, KERNELS } from '../../scripts/assemble.mjs';

const COMMITTED: Record<string, { bytes: Uint8Array; exports: string[] }> = {
  ADAMW_KERNEL: { bytes: ADAMW_KERNEL, exports: ['sum_of_squares', 'accumulate', 'step'] },
  TOP_K_KERNEL: { bytes: TOP_K_KERNEL, exports: ['memory', 'border_of', 'at_least'] },
  GRIFFIN_LIM_KERNEL: { bytes: GRIFFIN_LIM_KERNEL, exports: ['griffinLim', 'memory'] },
};

it('knows of every kernel', () => {
  expect(KERNELS.map(({ name }) => name)).toEqual(Object.keys(COMMITTED));
});

it.each(KERNELS)(
  'the committed WebAssembly is that of its text: npm run assemble ($name)',
  async ({ path, name }) => {
    const assembled = await assemble(path);
    expect(Buffer.from(COMMITTED[name].bytes).equals(Buffer.from(assembled))).toBe(true);
    const exported = WebAssembly.Module.exports(new WebAssembly.Module(assembled)).map(
      ({ name: each }) => each,
    );
    expect(exported).toEqual(COMMITTED[name].exports);
  },
);
