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
    if (name.endsWith(' again')) expect(nodes[index + 1].inputs).toContain(name);
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

it.each<[string, TensorProgram]>([
  ['is an output', ({ x }) => withPeak(gelu(x))],
  ['is of what is kept no longer', ({ x }) => ({ y: withPeak(gelu(tf.neg(x))).y })],
  ['costs much', ({ x, weight0 }) => ({ y: withPeak(tf.matMul(x, weight0)).y })],
])('keeps a result that %s', (_, program) => {
  expect(copiesIn(program)).toEqual([]);
});

it('computes again what nothing but its inputs is needed for', () => {
  expect(copiesIn(({ x }) => ({ y: withPeak(gelu(x)).y }))).toEqual(['Gelu']);
});
