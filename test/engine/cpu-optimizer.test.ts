import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice } from '../../lib/engine/index.js';
import { inMemories } from '../../lib/engine/devices/cpu/limits.js';
import { openCpuOptimizer } from '../../lib/engine/devices/cpu/optimizer.js';
import type { DeviceOptimizer } from '../../lib/engine/index.js';
import { uniformStream } from '../../lib/random.js';

const device = new CpuDevice(1);
afterAll(() => device.close());

const SHAPES = [
  ['a', [7]],
  ['b', [3, 5]],
  ['c', [40]],
  ['d', [2]],
] as const;
const UPDATE = {
  ...{ gradientScale: 0.5, decay: 0.999, oneMinusBeta1: 0.1, beta2: 0.999, oneMinusBeta2: 0.001 },
  ...{ root: 0.03, epsilon: 1e-8, step: 0.01 },
};

/** What two steps leave, the second one of two micro-batches, and the sum of squares before each. */
async function twoSteps(optimizer: DeviceOptimizer) {
  const uniform = uniformStream(5);
  const write = async (region: 'parameters' | 'gradients') => {
    for (const [name, shape] of SHAPES) {
      const size = shape.reduce((product, side) => product * side, 1);
      await device.write(
        optimizer[region].get(name)!,
        Float32Array.from({ length: size }, () => uniform() - 0.5),
      );
    }
  };
  const sums: number[] = [];
  const step = async () => {
    sums.push(await optimizer.sumOfSquares());
    await optimizer.step(UPDATE);
  };
  await write('parameters');
  await write('gradients');
  await step();
  for (let microBatch = 0; microBatch < 2; microBatch++) {
    await write('gradients');
    await optimizer.accumulate();
  }
  await step();
  const left = new Map<string, unknown>();
  for (const region of ['parameters', 'means', 'squares'] as const)
    for (const [name, tensor] of optimizer[region]) left.set(`${region}/${name}`, await device.read(tensor));
  return { sums, left };
}

describe('parameters that do not fit into one memory', () => {
  // Of a: 5 regions of 64 bytes. Of c: 5 of 192.
  const MEMORY_BYTES = 1000;

  it('lie in as many as they need, in their order', () => {
    const names = (memoryBytes: number) =>
      inMemories(SHAPES, 5, memoryBytes).map((group) => group.map(([name]) => name).join(''));
    expect(names(MEMORY_BYTES)).toEqual(['ab', 'c', 'd']);
    expect(names(1600)).toEqual(['ab', 'cd']);
    expect(names(2 ** 32)).toEqual(['abcd']);
    expect(inMemories([], 5)).toEqual([]);
  });

  it('are updated to the same bits as in one', async () => {
    const one = await openCpuOptimizer(device, SHAPES);
    const several = await openCpuOptimizer(device, SHAPES, MEMORY_BYTES);
    expect(new Set([...one.parameters.values()].map(({ handle }) => handle)).size).toBe(1);
    expect(new Set([...several.parameters.values()].map(({ handle }) => handle)).size).toBe(3);
    const [expected, seen] = [await twoSteps(one), await twoSteps(several)];
    expect(seen.left).toEqual(expected.left);
    for (const [i, sum] of seen.sums.entries()) expect(sum).toBeCloseTo(expected.sums[i], 12);
    const places = [...several.parameters.values()];
    await several.release();
    await one.release();
    for (const place of places) await expect(device.read(place)).rejects.toThrow();
  });
});
