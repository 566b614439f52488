import type { Tensor } from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import {
  CpuDevice,
  tf,
  type HostArray,
  type ProgramSource,
  type TensorProgram,
} from '../../lib/engine/index.js';
import { toOnnx } from '../../lib/engine/to-onnx.js';
import { traceGraph } from '../../lib/engine/compile.js';
import { orderSums } from '../../lib/engine/ordered-sums.js';
import { Rewriting } from '../../lib/engine/rewriting.js';

const device = new CpuDevice(1);
afterAll(() => device.close());

const N = 12;
const ROWS = 7;
const WIDTH = 5;
/** Some ids often, some once, some never. */
const ids = Int32Array.from({ length: N }, (_, i) => [3, 0, 3, 6, 3, 1][i % 6]);
const random = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(1 + 12.9898 * (i + seed)));

/** Outputs of a program with its sums in one order, or as they are. */
async function outputs(
  program: TensorProgram,
  inputs: ProgramSource['inputs'],
  feeds: Record<string, HostArray>,
  orderedSums: boolean,
) {
  const { model, reads } = toOnnx(
    { program, inputs, constants: {} },
    { rewrite: orderedSums ? orderSums : undefined },
  );
  const session = await device.load(model);
  const fed = Object.entries(feeds)
    .filter(([name]) => reads.has(name))
    .map(([name, data]) => [name, { data, shape: inputs[name].shape }] as const);
  const result = await device.run(session, Object.fromEntries(fed), {});
  await device.unload(session);
  return result;
}

const cases: Record<string, [TensorProgram, ProgramSource['inputs'], Record<string, HostArray>]> = {
  'rows added at ids': [
    ({ x, at }) => ({ y: tf.unsortedSegmentSum(x, at as never, ROWS) }),
    { x: { shape: [N, WIDTH], dtype: 'float32' }, at: { shape: [N], dtype: 'int32' } },
    { x: random(N * WIDTH, 1), at: ids },
  ],
  'numbers added at ids': [
    ({ x, at }) => ({ y: tf.unsortedSegmentSum(x, at as never, ROWS) }),
    { x: { shape: [N], dtype: 'float32' }, at: { shape: [N], dtype: 'int32' } },
    { x: random(N, 2), at: ids },
  ],
  'matrices added at ids': [
    ({ x, at }) => ({ y: tf.unsortedSegmentSum(x, at as never, ROWS) }),
    { x: { shape: [N, 2, 3], dtype: 'float32' }, at: { shape: [N], dtype: 'int32' } },
    { x: random(N * 6, 3), at: ids },
  ],
  'a tied embedding: two lookups and a head, whose gradients are added onto one another': [
    ({ w, at }) => {
      const loss = (weights: Tensor) => {
        const x = tf.add(tf.gather(weights, at), tf.gather(weights, tf.reverse(at, 0)));
        return tf.reshape(tf.sum(tf.square(tf.matMul(x, weights, false, true))), []);
      };
      const { value, grads } = tf.valueAndGrads((...tensors: Tensor[]) => loss(tensors[0]))([w]);
      return { value, gradient: grads[0] };
    },
    { w: { shape: [ROWS, WIDTH], dtype: 'float32' }, at: { shape: [N], dtype: 'int32' } },
    { w: random(ROWS * WIDTH, 4), at: ids },
  ],
  'rows and numbers summed, and their means': [
    ({ x }) => ({
      leading: tf.sum(x, [0, 1]),
      kept: tf.sum(x, 0, true),
      all: tf.sum(x),
      mean: tf.mean(x, 0),
      one: tf.sum(tf.reshape(x, [1, N, 2, 3]), 1),
      trailing: tf.sum(x, [1, 2]),
      middle: tf.sum(x, 1),
    }),
    { x: { shape: [N, 2, 3], dtype: 'float32' } },
    { x: random(N * 6, 5) },
  ],
};

describe('sums in one order', () => {
  it.each(Object.entries(cases))('%s: the same numbers', async (_, [program, inputs, feeds]) => {
    const [expected, actual] = [await outputs(program, inputs, feeds, false), await outputs(program, inputs, feeds, true)]; // prettier-ignore
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [name, values] of Object.entries(expected))
      values.forEach((value, i) => expect(actual[name][i] / (value || 1)).toBeCloseTo(value ? 1 : 0, 5));
  });

  it.each(Object.entries(cases))('%s: nothing adds at the first axis', (_, [program, inputs]) => {
    /** What ONNX Runtime's CUDA provider adds by atomic additions. */
    const inNoOrder = (graph: ReturnType<typeof traceGraph>) =>
      graph.nodes.filter(({ op, inputs: [x, axes], attributes }) => {
        if (op === 'ScatterElements') return attributes.reduction === 'add';
        if (op !== 'ReduceSum' && op !== 'ReduceMean') return false;
        const { shape } = graph.values.get(x)!;
        const over = op === 'ReduceSum' ? [...graph.constants.get(axes)!.data].map(Number) : (attributes.axes as number[]); // prettier-ignore
        return over.includes(shape.findIndex((size) => size > 1));
      }).length;
    expect(inNoOrder(traceGraph(program, inputs))).toBeGreaterThan(0);
    expect(inNoOrder(orderSums(traceGraph(program, inputs)))).toBe(0);
  });

  it('leaves alone what is the same in any order: whole numbers', () => {
    const inputs = { x: { shape: [N, 2], dtype: 'int32' }, at: { shape: [N], dtype: 'int32' } } as const;
    const graph = traceGraph(({ x, at }) => ({ y: tf.unsortedSegmentSum(x, at as never, ROWS) }), inputs);
    const before = graph.nodes.length;
    expect(orderSums(graph).nodes).toHaveLength(before);
  });
});

it('constants of rewritings are one where type, shape and numbers are the same', () => {
  const graph = traceGraph(({ x }) => ({ y: tf.neg(x) }), { x: { shape: [2], dtype: 'float32' } });
  const [first, second] = ['first', 'second'].map((name) => new Rewriting(graph, name));
  const constants: Parameters<Rewriting['constant']>[] = [
    ['float32', [2], [1, 1]],
    ['int64', [2], [1, 1]],
    ['float32', [2, 1], [1, 1]],
    ['float32', [2], [1, 2]],
  ];
  const names = constants.map((each) => first.constant(...each));
  expect(new Set(names).size).toBe(4);
  expect(constants.map((each) => second.constant(...each))).toEqual(names);
  names.forEach((name, i) => {
    const [dtype, shape, values] = constants[i];
    const { data } = graph.constants.get(name)!;
    expect(graph.constants.get(name)).toMatchObject({ dtype, shape });
    expect(Array.from(data as ArrayLike<number | bigint>, Number)).toEqual(values);
  });
});
