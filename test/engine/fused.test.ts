import type { Tensor } from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { gelu, layerNorm, tf } from '../../lib/engine/index.js';
import { uniformStream } from '../../lib/random.js';

beforeAll(() => tf.setBackend('cpu'));

const uniform = uniformStream(2);
const random = (shape: number[]) =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 4 * uniform() - 2),
    shape,
  );

/** The formulas as TensorFlow.js differentiates them. */
const plainLayerNorm = (x: Tensor, gamma: Tensor, beta: Tensor, epsilon: number) => {
  const { mean, variance } = tf.moments(x, -1, true);
  const normalized = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, epsilon)));
  return tf.add(tf.mul(normalized, gamma), beta);
};
const plainGelu = (x: Tensor) => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.div(x, Math.SQRT2))));

it.each<[string, Tensor[], (...inputs: Tensor[]) => Tensor, (...inputs: Tensor[]) => Tensor]>([
  [
    'layerNorm',
    [random([2, 3, 8]), random([8]), random([8])],
    (x, gamma, beta) => layerNorm(x, gamma, beta, 1e-3),
    (x, gamma, beta) => plainLayerNorm(x, gamma, beta, 1e-3),
  ],
  ['gelu', [random([3, 5])], gelu, plainGelu],
])('%s has the value and the gradients of its formula', (_, inputs, fused, plain) => {
  const dy = random(inputs[0].shape);
  const actual = tf.valueAndGrads(fused)(inputs, dy);
  const expected = tf.valueAndGrads(plain)(inputs, dy);
  const pairs = [
    [actual.value, expected.value],
    ...actual.grads.map((gradient, i) => [gradient, expected.grads[i]]),
  ];
  for (const [a, b] of pairs) {
    expect(a.shape).toEqual(b.shape);
    const values = a.dataSync();
    b.dataSync().forEach((value, i) => expect(values[i]).toBeCloseTo(value, 5));
  }
});
