import type { Tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  addAtLabels,
  compile,
  gelu,
  layerNorm,
  tf,
  traceGraph,
  type InputSpec,
  type TensorProgram,
} from '../../lib/engine/index.js';
import { trace } from '../../lib/engine/trace.js';
import { uniformStream } from '../../lib/random.js';
import { runGraph } from './run-graph.js';
import { device } from '../support/device.js';

beforeAll(() => tf.setBackend('cpu'));

const inputs: Record<string, InputSpec> = { x: { shape: [2, 3], dtype: 'float32' } };

function optimized(program: (x: Tensor) => Tensor) {
  const graph = traceGraph(({ x }) => ({ y: program(x) }), inputs);
  return { ops: graph.nodes.map(({ op }) => op), graph };
}

describe('optimize', () => {
  it.each<[string, (x: Tensor) => Tensor, string[]]>([
    ['identities', (x) => tf.neg(tf.clone(tf.clone(x))), ['Neg']],
    ['reshapes to the same shape', (x) => tf.neg(tf.reshape(x, [2, 3])), ['Neg']],
    ['reshapes there and back', (x) => tf.neg(tf.reshape(tf.reshape(x, [6]), [2, 3])), ['Neg']],
    ['casts to the same type', (x) => tf.neg(tf.cast(x, 'float32')), ['Neg']],
    ['transposes that move nothing', (x) => tf.neg(tf.transpose(x, [0, 1])), ['Neg']],
    ['fills of a scalar with no axis', (x) => tf.mul(x, tf.fill([], 2)), ['Mul']],
    [
      'what nobody reads',
      (x) => {
        tf.exp(tf.matMul(x, x, false, true));
        return tf.neg(x);
      },
      ['Neg'],
    ],
    [
      'all but the last of a chain of reshapes',
      (x) => tf.reshape(tf.reshape(tf.reshape(x, [6]), [1, 6]), [3, 2]),
      ['Reshape'],
    ],
  ])('removes %s', (_, program, expected) => {
    expect(optimized(program).ops).toEqual(expected);
  });

  it.each<[string, (x: Tensor) => Tensor, string[]]>([
    ['a reshape', (x) => tf.reshape(x, [3, 2]), ['Reshape']],
    ['a cast', (x) => tf.cast(x, 'int32'), ['Cast']],
    ['a transpose', (x) => tf.transpose(x), ['Transpose']],
    ['a node of which one output is read', (x) => tf.split(x, [1, 2], 1)[1], ['Split']],
  ])('keeps %s', (_, program, expected) => {
    expect(optimized(program).ops).toEqual(expected);
  });

  it('keeps a square transpose, whose shape alone does not tell', () => {
    const square: Record<string, InputSpec> = { x: { shape: [3, 3], dtype: 'float32' } };
    const { nodes } = traceGraph(({ x }) => ({ y: tf.transpose(x) }), square);
    expect(nodes.map(({ op }) => op)).toEqual(['Transpose']);
  });

  it('drops the constants of removed nodes', () => {
    const { graph } = optimized((x) => tf.neg(tf.reshape(tf.reshape(x, [6]), [2, 3])));
    expect([...graph.constants.keys()]).toEqual([]);
  });

  it('keeps every output under its name, even one that is an input or another output', () => {
    const graph = traceGraph(({ x }) => {
      const negative = tf.neg(x);
      return { first: negative, second: tf.reshape(negative, [2, 3]), third: x };
    }, inputs);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['first', 'second', 'third']);
    const written = graph.nodes.flatMap((node) => node.outputs);
    expect(written).toEqual(expect.arrayContaining(['first', 'second', 'third']));
  });

  it('computes an output under its name where others read it too', () => {
    const graph = traceGraph(({ x }) => {
      const [first, second] = tf.split(x, [1, 2], 1);
      return { second, sum: tf.add(second, first) };
    }, inputs);
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Split', 'Add']);
    const [split, add] = graph.nodes;
    expect(split.outputs[1]).toBe('second');
    expect(add.inputs).toEqual(['second', split.outputs[0]]);
    expect(add.outputs).toEqual(['sum']);
  });

  it('scatters the gradients of lookups onto that of a product with the same matrix', async () => {
    const specs: Record<string, InputSpec> = {
      table: { shape: [5, 3], dtype: 'float32' },
      first: { shape: [2, 2], dtype: 'int32' },
      second: { shape: [4], dtype: 'int32' },
    };
    const program: TensorProgram = ({ table, first, second }) => {
      const loss = (w: Tensor) => {
        const looked = tf.add(tf.reshape(tf.gather(w, first), [4, 3]), tf.square(tf.gather(w, second)));
        return tf.sum(tf.square(tf.matMul(looked, w, false, true)));
      };
      return { gradient: tf.grad(loss)(table) };
    };
    const nodes = traceGraph(program, specs).nodes;
    expect(nodes.filter(({ op }) => op === 'ScatterElements')).toHaveLength(2);
    expect(nodes.filter(({ op }) => op === 'Expand').map(({ outputs }) => outputs[0])).not.toContain(
      nodes.find(({ op }) => op === 'ScatterElements')!.inputs[0],
    );
    const feeds = {
      table: Float32Array.from({ length: 15 }, (_, i) => Math.sin(i)),
      first: Int32Array.of(0, 4, 4, 1),
      second: Int32Array.of(2, 2, 0, 2),
    };
    const [compiled, eager] = [
      await compile(program, specs, { device }),
      await compile(program, specs, { device: 'eager' }),
    ];
    const [{ gradient }, expected] = [await compiled(feeds), await eager(feeds)];
    await compiled.dispose();
    gradient.forEach((value, i) => expect(value).toBeCloseTo(expected.gradient[i], 4));
  });

  it.each(['before', 'behind'])('scatters onto a sum that stands %s', async (where) => {
    const specs: Record<string, InputSpec> = {
      x: { shape: [2, 3], dtype: 'float32' },
      labels: { shape: [2], dtype: 'int32' },
      values: { shape: [2], dtype: 'float32' },
    };
    const program: TensorProgram = ({ x, labels, values }) => {
      const [sum, scattered] = [tf.neg(x), addAtLabels(tf.fill([2, 3], 0), labels, values)];
      return { y: where === 'before' ? tf.add(sum, scattered) : tf.add(scattered, sum) };
    };
    expect(traceGraph(program, specs).nodes.map(({ op }) => op)).not.toContain('Add');
    const compiled = await compile(program, specs, { device });
    const x = new Float32Array(6).fill(5);
    const { y } = await compiled({ x, labels: Int32Array.of(2, 0), values: Float32Array.of(10, 20) });
    await compiled.dispose();
    expect([...y]).toEqual([-5, -5, 5, 15, -5, -5]);
  });

  it.each<[string, number, number[]]>([
    ['onto ones', 1, [2, 3]],
    ['that is added to each row of a sum', 0, [3]],
  ])('leaves a scatter %s where it is', async (_, onto, shape) => {
    const specs: Record<string, InputSpec> = {
      x: { shape, dtype: 'float32' },
      labels: { shape: [2], dtype: 'int32' },
      values: { shape: [2], dtype: 'float32' },
    };
    const compiled = await compile(
      ({ x, labels, values }) => ({
        y: tf.add(tf.neg(x), addAtLabels(tf.fill([2, 3], onto), labels, values)),
      }),
      specs,
      { device },
    );
    const x = new Float32Array(shape.reduce((a, b) => a * b)).fill(5);
    const { y } = await compiled({ x, labels: Int32Array.of(2, 0), values: Float32Array.of(10, 20) });
    await compiled.dispose();
    const rest = onto - 5;
    expect([...y]).toEqual([rest, rest, rest + 10, rest + 20, rest, rest]);
  });

  it('takes a number out of a difference of two of its multiples, and no other', async () => {
    const half = (x: Tensor) => tf.sub(tf.mul(tf.exp(x), 0.5), tf.mul(0.5, tf.neg(x)));
    const { ops, graph } = optimized(half);
    expect(ops).toEqual(['Exp', 'Neg', 'Sub', 'Mul']);
    const { y } = await runGraph(graph, { x: new Float32Array(6).fill(2) });
    expect(y[0]).toBeCloseTo(0.5 * (Math.exp(2) + 2), 5);
    const different = (x: Tensor) => tf.sub(tf.mul(tf.exp(x), 0.5), tf.mul(tf.neg(x), 0.25));
    expect(optimized(different).ops).toEqual(['Exp', 'Mul', 'Neg', 'Mul', 'Sub']);
    const vectors = (x: Tensor) =>
      tf.sub(tf.mul(tf.exp(x), tf.tensor1d([0.5, 1, 2])), tf.mul(tf.neg(x), tf.tensor1d([0.5, 3, 4])));
    expect(optimized(vectors).ops).toEqual(['Exp', 'Mul', 'Neg', 'Mul', 'Sub']);
  });

  it('changes no result: a network with its gradients before and after', async () => {
    const specs: Record<string, InputSpec> = {
      x: { shape: [4, 6], dtype: 'float32' },
      w: { shape: [6, 6], dtype: 'float32' },
      gamma: { shape: [6], dtype: 'float32' },
    };
    const program = ({ x, w, gamma }: Record<string, Tensor>) => {
      const loss = (weight: Tensor, scale: Tensor) => {
        const heads = tf.transpose(tf.reshape(tf.matMul(x, weight), [4, 2, 3]), [1, 0, 2]);
        const joined = tf.reshape(tf.transpose(tf.softmax(heads), [1, 0, 2]), [4, 6]);
        return tf.mean(gelu(layerNorm(tf.add(x, joined), scale, tf.zeros([6])))) as ReturnType<
          typeof tf.scalar
        >;
      };
      const { value, grads } = tf.valueAndGrads(loss)([w, gamma]);
      return { value, w2: grads[0], gamma2: grads[1] };
    };
    const uniform = uniformStream(3);
    const feeds = Object.fromEntries(
      Object.entries(specs).map(([name, { shape }]) => [
        name,
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => uniform() - 0.5),
      ]),
    );
    const traced = trace(program, specs);
    const nodes = traced.nodes.length;
    const before = await runGraph(traced, feeds);
    const run = await compile(program, specs, { device });
    const after = await run(feeds);
    await run.dispose();
    expect(traceGraph(program, specs).nodes.length).toBeLessThan(nodes);
    for (const name of Object.keys(before))
      before[name].forEach((value, i) => expect(after[name][i], `${name}[${i}]`).toBeCloseTo(value, 6));
  });
});
