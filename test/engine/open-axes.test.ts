/** Programs whose inputs may have other sizes from run to run, and tensors that columns leave: what sampling needs where prompts leave a batch. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  compile,
  CpuDevice,
  partOf,
  splitRows,
  tf,
  type InputSpec,
  type ProgramSource,
} from '../../lib/engine/index.js';

const device = new CpuDevice(1);
afterAll(() => device.close());

/** What two queries [B, 1, 2, 3] mix of states [B, 1, T, 3] under a mask [B, T], multiplied by a matrix: [B, 6], and [B, 2, 3]. */
const attention = (batch: number, length: number): ProgramSource => ({
  program: ({ queries, states, mask, weight, bias }) => {
    const shares = tf.softmax(
      tf.add(tf.matMul(queries, states, false, true), tf.expandDims(tf.expandDims(mask, 1), 1)),
    );
    // To the end of an axis, wherever that is.
    const mixed = tf.slice(tf.matMul(shares, states), [0, 0, 0, 0], [-1, 1, 2, 3]);
    const rows = tf.reshape(mixed, [-1, 3]);
    const product = tf.fused.matMul({ a: rows as never, b: weight as never, bias });
    return { y: tf.reshape(product, [-1, 6]), split: tf.neg(splitRows(product, mask, [3])) };
  },
  inputs: {
    queries: { shape: [batch, 1, 2, 3], dtype: 'float32', openAxes: [0] },
    states: { shape: [batch, 1, length, 3], dtype: 'float32', openAxes: [0, 2] },
    mask: { shape: [batch, length], dtype: 'float32', openAxes: [0, 1] },
  },
  constants: {
    weight: { shape: [3, 3], data: numbers(9) },
    bias: { shape: [3], data: Float32Array.of(0.5, -1, 2) },
  },
});

function numbers(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(1 + 3.7 * i));
}

const compiled = ({ program, inputs, ...options }: ProgramSource) =>
  compile(program, inputs, { ...options, device });

describe('a program with open axes', () => {
  it.each([
    ['more', 2, 4],
    ['fewer', 5, 7],
    ['those of one', 1, 1],
  ])('compiled for %s rows gives what one that is compiled for three gives', async (_, batch, length) => {
    const feeds = { queries: numbers(18), states: numbers(45), mask: numbers(15) };
    const exact = await compiled(attention(3, 5));
    const open = await compiled(attention(batch, length));
    expect(open.isOpen).toBe(true);
    const { inputs } = attention(3, 5);
    const shaped = Object.entries(feeds).map(([name, data]) => [name, { data, shape: inputs[name].shape }]);
    const results = await device.run(open.handle!, Object.fromEntries(shaped), {});
    expect(results.y).toHaveLength(18);
    expect(results).toEqual(await exact(feeds));
    await exact.dispose();
    await open.dispose();
  });

  it.each<[string, (source: ProgramSource) => ProgramSource]>([
    ['no axis is', (source) => ({ ...source, inputs: withoutOpenAxes(source.inputs) })],
    ['numbers of 8 bits are rounded, row by row,', (source) => ({ ...source, int8: true })],
  ])('is none where %s open', async (_, change) => {
    const program = await compiled(change(attention(2, 3)));
    expect(program.isOpen).toBe(false);
    await program.dispose();
  });
});

const withoutOpenAxes = (inputs: ProgramSource['inputs']): Record<string, InputSpec> =>
  Object.fromEntries(Object.entries(inputs).map(([name, { shape, dtype }]) => [name, { shape, dtype }]));

describe('columns of a tensor', () => {
  const cases = fc
    .record({
      rows: fc.integer({ min: 1, max: 4 }),
      columns: fc.integer({ min: 1, max: 6 }),
      width: fc.integer({ min: 1, max: 3 }),
    })
    .chain((sizes) =>
      fc.record({ sizes: fc.constant(sizes), kept: fc.subarray([...Array(sizes.columns).keys()]) }),
    );

  it('are moved together in place, and nothing beside the tensor is', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ sizes: { rows, columns, width }, kept }) => {
        const size = rows * columns * width;
        const { tensors, release } = await device.allocate([['all', [size + 2]]]);
        const all = tensors.get('all')!;
        await device.write(
          all,
          Float32Array.from({ length: size + 2 }, (_, i) => i),
        );
        await device.keepColumns(partOf(all, 1, [rows, columns, width]), kept);
        const values = await device.read(all);
        const expected = [...Array(rows).keys()].flatMap((row) =>
          kept.flatMap((column) =>
            Array.from({ length: width }, (_, i) => 1 + (row * columns + column) * width + i),
          ),
        );
        expect([...values.subarray(1, 1 + expected.length)]).toEqual(expected);
        expect([values[0], values[size + 1]]).toEqual([0, size + 1]);
        await release();
      }),
    );
  });
});
