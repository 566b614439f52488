import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import {
  compile,
  gelu,
  layerNorm,
  programBytes,
  tf,
  traceGraph,
  type InputSpec,
  type TensorProgram,
} from '../../lib/engine/index.js';
import { uniformStream } from '../../lib/random.js';
import { device } from '../support/device.js';

beforeAll(() => tf.setBackend('cpu'));

const ROWS = 64;
const WIDTH = 4;
const LAYERS = 3;
const NAMES = [...Array(LAYERS).keys()].map((layer) => `weight${layer}`);
const inputs: Record<string, InputSpec> = {
  x: { shape: [ROWS, WIDTH], dtype: 'float32' },
  scale: { shape: [WIDTH], dtype: 'float32' },
  shift: { shape: [WIDTH], dtype: 'float32' },
  ...Object.fromEntries(NAMES.map((name) => [name, { shape: [WIDTH, WIDTH], dtype: 'float32' }])),
};

const norm = (x: Tensor, w: Record<string, Tensor>) => layerNorm(x, w.scale, w.shift);
/** Reads `kept` before and after the moment of the most memory. */
function withPeak(kept: Tensor): { kept: Tensor; y: Tensor } {
  const wide = tf.tile(tf.sin(kept), [1, 8]);
  return { kept, y: tf.mul(tf.exp(tf.neg(tf.sum(wide, 1, true))), kept) };
}

type Layer = (x: Tensor, weight: Tensor, w: Record<string, Tensor>) => Tensor;

/** Layers of weights one after the other, and the gradients of what their results add up to. */
const trainingOf =
  (layer: Layer): TensorProgram =>
  (w) => {
    const loss = (...weights: Tensor[]) =>
      tf.sum(weights.reduce((y, weight) => layer(y, weight, w), w.x)) as Scalar;
    const { grads } = tf.valueAndGrads(loss)(NAMES.map((name) => w[name]));
    return Object.fromEntries(grads.map((gradient, i) => [`gradient${i}`, gradient]));
  };
const copiesIn = (program: TensorProgram): string[] =>
  traceGraph(program, inputs)
    .nodes.filter(({ outputs: [name] }) => name.endsWith(' again'))
    .map(({ op }) => op);

it.each<[string, string, Layer]>([
  ['an activation', 'Gelu', (x, weight) => gelu(tf.matMul(x, weight))],
  ['a normalization', 'LayerNormalization', (x, weight, w) => norm(tf.matMul(x, weight), w)],
])('computes %s again where the gradient of the weights behind it reads it', async (_, op, layer) => {
  const program = trainingOf(layer);
  // Behind the last layer there are no weights.
  expect(copiesIn(program)).toEqual([op, op]);
  const { nodes } = traceGraph(program, inputs);
  nodes.forEach(({ outputs: [name] }, index) => {
    if (!name.endsWith(' again')) return;
    expect(nodes[index + 1].inputs).toContain(name);
    const first = nodes.find(({ outputs }) => `${outputs[0]} again` === name)!;
    expect(nodes[index]).toEqual({ ...first, outputs: first.outputs.map((output) => `${output} again`) });
  });
  const uniform = uniformStream(1);
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape }]) => [
      name,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 2 * uniform() - 1),
    ]),
  );
  const compiled = await compile(program, inputs, { device });
  const eager = await compile(program, inputs, { device: 'eager' });
  const [actual, expected] = [await compiled(feeds), await eager(feeds)];
  for (const name of Object.keys(expected))
    expected[name].forEach((value, i) => expect(actual[name][i]).toBeCloseTo(value, 4));
  await compiled.dispose();
});

it('keeps none of the results that it computes again', () => {
  const rowsBytes = ROWS * WIDTH * 4;
  const program = trainingOf((x, weight) => gelu(tf.matMul(x, weight)));
  const bytes = programBytes({ program, inputs, constants: {} });
  // Of each layer what its activation is of; of the last one's gradient four results at once.
  expect(bytes / rowsBytes).toBe(LAYERS + 4);
});

/** Small, and made of what takes the most memory. */
const sumOf = (x: Tensor) => tf.sum(tf.tile(tf.sin(x), [1, 8]), 1, true);

it.each<[string, TensorProgram]>([
  ['is an output', ({ x }) => withPeak(gelu(x))],
  ['is of what is kept no longer', ({ x }) => ({ y: withPeak(gelu(tf.neg(x))).y })],
  ['costs much', ({ x, weight0 }) => ({ y: withPeak(tf.matMul(x, weight0)).y })],
  ['nobody reads after the most memory', ({ x }) => ({ y: tf.sum(tf.tile(gelu(x), [1, 8]), 1) })],
  [
    'is read with another shape after the most memory',
    ({ x }) => {
      const kept = gelu(x);
      const turned = tf.reshape(kept, [WIDTH, ROWS]);
      const sum = sumOf(turned);
      return { y: tf.add(tf.sum(tf.mul(turned, sum)), kept) };
    },
  ],
  [
    'is an output with another shape',
    ({ x }) => {
      const kept = gelu(x);
      const turned = tf.reshape(kept, [WIDTH, ROWS]);
      return { y: tf.mul(tf.sum(sumOf(turned)), kept), turned };
    },
  ],
])('keeps a result that %s', (_, program) => {
  expect(copiesIn(program)).toEqual([]);
});

it.each<[string, TensorProgram]>([
  ['nothing but its inputs is needed for', ({ x }) => ({ y: withPeak(gelu(x)).y })],
  [
    'is read together with its input, and neither later',
    ({ x }) => {
      const from = tf.neg(x);
      const kept = gelu(from);
      const sum = sumOf(kept);
      return { y: tf.mul(tf.mul(kept, from), sum) };
    },
  ],
  [
    'makes the most memory itself, and is read later',
    ({ x }) => {
      const first = tf.tile(tf.sin(x), [1, 8]);
      const wide = tf.tile(x, [1, 8]);
      const kept = gelu(wide);
      const sum = tf.sum(first, 1);
      return { sum, y: tf.mul(kept, wide) };
    },
  ],
])('computes again what %s', (_, program) => {
  expect(copiesIn(program)).toEqual(['Gelu']);
  const { nodes, outputs } = traceGraph(program, inputs);
  const read = new Set([...nodes.flatMap((node) => node.inputs), ...outputs.map(({ name }) => name)]);
  expect(nodes.filter((node) => !node.outputs.some((name) => read.has(name)))).toEqual([]);
});

it('computes what is made of what is computed again of that, and keeps neither', () => {
  const program: TensorProgram = ({ x, ...w }) => {
    const normal = norm(x, w);
    const kept = gelu(normal);
    const sum = sumOf(kept);
    return { y: tf.mul(tf.mul(kept, sum), normal) };
  };
  expect(copiesIn(program)).toEqual(['LayerNormalization', 'Gelu']);
  const { nodes } = traceGraph(program, inputs);
  const [copy, copyOfThat] = nodes.filter(({ outputs: [name] }) => name.endsWith(' again'));
  expect(copyOfThat.inputs).toEqual([copy.outputs[0]]);
});
