import { expect, it } from 'vitest';
import { freeArrays, lendArrays } from '../../lib/engine/free-arrays.js';

it('gives the memory of arrays back without a garbage collection', async () => {
  const arrays = Array.from({ length: 50 }, () => new Float32Array(1e6));
  const before = process.memoryUsage().arrayBuffers;
  const freed = freeArrays([...arrays, arrays[0]]);
  expect(arrays.every(({ length }) => length === 0)).toBe(true);
  await freed;
  expect(before - process.memoryUsage().arrayBuffers).toBeGreaterThan(150e6);
});

it('leaves arrays whose memory others see too', async () => {
  const whole = Float32Array.of(1, 2, 3);
  const part = whole.subarray(1);
  const shared = new Float32Array(new SharedArrayBuffer(8));
  await freeArrays([part, shared]);
  expect([...whole]).toEqual([1, 2, 3]);
  expect([...part]).toEqual([2, 3]);
  expect(shared).toHaveLength(2);
});

it('leaves arrays that are lent until all who read them have given them back', async () => {
  const array = Float32Array.of(1, 2, 3);
  const givesBack = [lendArrays([array]), lendArrays([array])];
  for (const giveBack of givesBack) {
    await freeArrays([array]);
    expect([...array]).toEqual([1, 2, 3]);
    giveBack();
  }
  await freeArrays([array]);
  expect(array).toHaveLength(0);
});
