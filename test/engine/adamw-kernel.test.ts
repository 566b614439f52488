import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { ADAMW_KERNEL } from '../../lib/engine/devices/cpu/adamw-kernel.js';
import { assemble } from '../../scripts/assemble.mjs';

const TEXT = fileURLToPath(new URL('../../lib/engine/devices/cpu/adamw.wat', import.meta.url));

it('the committed WebAssembly is that of its text: npm run assemble', async () => {
  const assembled = await assemble(readFileSync(TEXT, 'utf8'));
  expect(Buffer.from(ADAMW_KERNEL).equals(Buffer.from(assembled))).toBe(true);
  expect(WebAssembly.Module.exports(new WebAssembly.Module(assembled)).map(({ name }) => name)).toEqual([
    'sum_of_squares',
    'accumulate',
    'step',
  ]);
});
