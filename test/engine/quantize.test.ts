import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile, tf, type Device, type ProgramSource } from '../../lib/engine/index.js';
import { quantizeWeights } from '../../lib/engine/quantize.js';
import { toOnnx } from '../../lib/engine/to-onnx.js';
import { device } from '../support/device.js';

interface Linear {
  rows: number;
  width: number;
  outputs: number;
  x: Float32Array;
  weight: Float32Array;
  bias?: Float32Array;
}

const sourceOf = ({ rows, width, outputs, weight, bias }: Linear): ProgramSource => ({
  program: (w) => ({
    y: tf.fused.matMul({ a: w.x as never, b: w.weight as never, transposeB: true, bias: w.bias }),
  }),
  inputs: { x: { shape: [rows, width], dtype: 'float32' } },
  constants: {
    weight: { shape: [outputs, width], data: weight },
    ...(bias && { bias: { shape: [outputs], data: bias } }),
  },
});

async function multiply(linear: Linear, int8 = true): Promise<Float32Array> {
  const { program, inputs, constants } = sourceOf(linear);
  const compiled = await compile(program, inputs, { device, constants, int8 });
  const { y } = await compiled({ x: linear.x });
  await compiled.dispose();
  return y as Float32Array;
}

const numbers = (count: number, seed: number, size = 1) =>
  Float32Array.from({ length: count }, (_, i) => size * Math.sin(1 + 12.9898 * (i + 1) * (seed + 1)));

const linears = fc
  .record({
    rows: fc.integer({ min: 1, max: 12 }),
    width: fc.integer({ min: 1, max: 70 }),
    outputs: fc.integer({ min: 1, max: 130 }),
    seed: fc.integer({ min: 0, max: 1000 }),
    size: fc.constantFrom(1e-3, 1, 300),
    isBiased: fc.boolean(),
  })
  .map(({ rows, width, outputs, seed, size, isBiased }): Linear => ({
    rows,
    width,
    outputs,
    x: numbers(rows * width, seed, size),
    weight: numbers(outputs * width, seed + 1, 0.05),
    ...(isBiased && { bias: numbers(outputs, seed + 2, size) }),
  }));

const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe('products in 8 bits', () => {
  it('differ from exact ones by no more than half a step of each factor', async () => {
    await fc.assert(
      fc.asyncProperty(linears, async (linear) => {
        const { rows, width, outputs, x, weight, bias } = linear;
        const y = await multiply(linear);
        for (let row = 0; row < rows; row++) {
          const xs = x.subarray(row * width, (row + 1) * width);
          for (let output = 0; output < outputs; output++) {
            const ws = weight.subarray(output * width, (output + 1) * width);
            const exact = xs.reduce((sum, value, i) => sum + value * ws[i], bias?.[output] ?? 0);
            const [halfX, halfW] = [largest(xs) / 254, largest(ws) / 128];
            const most = xs.reduce(
              (sum, value, i) => sum + Math.abs(value) * halfW + Math.abs(ws[i]) * halfX + halfX * halfW,
              0,
            );
            const rounding = 1e-5 * (Math.abs(exact) + most + Math.abs(bias?.[output] ?? 0));
            expect(Math.abs(y[row * outputs + output] - exact)).toBeLessThanOrEqual(most + rounding);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it('are of 8 bits: they differ from those in float32', async () => {
    const linear = { rows: 3, width: 64, outputs: 32, x: numbers(192, 1), weight: numbers(2048, 2) };
    expect(await multiply(linear)).not.toEqual(await multiply(linear, false));
  });

  it('of the largest numbers are exact, which 16 bits on the way would not hold', async () => {
    const [width, outputs] = [256, 16];
    const x = new Float32Array(2 * width).fill(1).fill(-1, width);
    const weight = new Float32Array(outputs * width).fill(1);
    const y = await multiply({ rows: 2, width, outputs, x, weight });
    y.forEach((value, i) => expect(value / (i < outputs ? width : -width)).toBeCloseTo(1, 6));
  });

  it('of whole numbers up to 127 and weights up to 64 are exact, which fewer steps would not hold', async () => {
    const [rows, width, outputs] = [3, 40, 12];
    const whole = (count: number, seed: number, most: number) =>
      numbers(count, seed, most).map((value, i) => (i % width === 0 ? most : Math.round(value)));
    const [x, weight] = [whole(rows * width, 1, 127), whole(outputs * width, 2, 64)];
    const y = await multiply({ rows, width, outputs, x, weight });
    y.forEach((value, i) => {
      const [row, output] = [Math.floor(i / outputs), i % outputs];
      const xs = x.subarray(row * width, (row + 1) * width);
      const exact = xs.reduce((sum, each, k) => sum + each * weight[output * width + k], 0);
      expect(Math.abs(value - exact)).toBeLessThanOrEqual(1e-6 * Math.abs(exact));
    });
  });

  it('of a row are the same whatever rows are beside it, to the bit', async () => {
    const [width, outputs] = [70, 90];
    const weight = numbers(outputs * width, 3);
    const x = numbers(9 * width, 4);
    // A row that is far larger than the others.
    for (let i = 0; i < width; i++) x[4 * width + i] *= 1e4;
    const all = await multiply({ rows: 9, width, outputs, x, weight });
    for (const row of [0, 4, 8]) {
      const alone = x.slice(row * width, (row + 1) * width);
      const y = await multiply({ rows: 1, width, outputs, x: alone, weight });
      expect(all.subarray(row * outputs, (row + 1) * outputs)).toEqual(y);
    }
  });

  it('of rows or weights of zeros are the bias', async () => {
    const bias = numbers(5, 1);
    const zeros = await multiply({
      rows: 2,
      width: 8,
      outputs: 5,
      x: new Float32Array(16).fill(1, 8),
      weight: new Float32Array(40),
      bias,
    });
    expect([...zeros]).toEqual([...bias, ...bias]);
    const nothing = new Float32Array(8);
    const row = await multiply({ rows: 1, width: 8, outputs: 5, x: nothing, weight: numbers(40, 2), bias });
    expect(row).toEqual(bias);
  });

  it('leave weights as they are that other operations read', () => {
    const tied: ProgramSource = {
      program: ({ x, at, w }) => ({
        y: tf.matMul(tf.add(x, tf.gather(w, at as never)), w, false, true),
      }),
      inputs: { x: { shape: [2, 8], dtype: 'float32' }, at: { shape: [2], dtype: 'int32' } },
      constants: { w: { shape: [5, 8], data: numbers(40, 1) } },
    };
    expect(toOnnx(tied, { rewrite: quantizeWeights }).operators).not.toContain('MatMulInteger');
    const untransposed: ProgramSource = {
      program: ({ x, w }) => ({ y: tf.matMul(x, w) }),
      inputs: { x: { shape: [2, 8], dtype: 'float32' } },
      constants: { w: { shape: [8, 8], data: numbers(64, 1) } },
    };
    expect(toOnnx(untransposed, { rewrite: quantizeWeights }).operators).not.toContain('MatMulInteger');
  });

  it('are the same by weights that are fed as by constants', async () => {
    const [rows, width, outputs] = [3, 30, 20];
    const [x, weight, bias] = [numbers(90, 1), numbers(600, 2), numbers(20, 3)];
    const linear = { rows, width, outputs, x, weight, bias };
    const { program, inputs, constants } = sourceOf(linear);
    const fed = { ...inputs, weight: { shape: [outputs, width], dtype: 'float32' as const } };
    const compiled = await compile(program, fed, { device, constants: { bias: constants.bias }, int8: true });
    const { y } = await compiled({ x, weight });
    await compiled.dispose();
    expect(y).toEqual(await multiply(linear));
  });

  it('are refused on a device that has none, and eagerly', async () => {
    const { program, inputs, constants } = sourceOf({
      rows: 1,
      width: 2,
      outputs: 2,
      x: numbers(2, 1),
      weight: numbers(4, 1),
    });
    const other = { name: 'other' } as Device;
    for (const [where, name] of [[other, 'other'] as const, ['eager', 'eager'] as const])
      await expect(compile(program, inputs, { device: where, constants, int8: true })).rejects.toThrow(
        `the device ${name} does not multiply in 8 bits: choose the device cpu`,
      );
  });
});
