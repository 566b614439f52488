import type { Tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, programBytes, tf, type InputSpec, type TensorProgram } from '../../lib/engine/index.js';
import { attention } from '../../lib/policy/attention.js';
import { MASKED } from '../../lib/policy/padding.js';
import { uniformStream } from '../../lib/random.js';
import { device } from '../support/device.js';

beforeAll(() => tf.setBackend('cpu'));

const [BATCH, HEADS, QUERIES, KEYS, WIDTH] = [2, 3, 5, 7, 4];

/** The formula, as TensorFlow.js differentiates it. */
function plainAttention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor): Tensor {
  const mixed = tf.matMul(tf.softmax(tf.add(tf.matMul(q, k, false, true), mask)), v);
  return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [q.shape[0], q.shape[2]!, -1]);
}

const uniform = uniformStream(3);
const random = (shape: readonly number[], scale = 2): Float32Array =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * (2 * uniform() - 1));

const specs = (maskShape: number[]): Record<string, InputSpec> =>
  Object.fromEntries(
    Object.entries({
      q: [BATCH, HEADS, QUERIES, WIDTH],
      k: [BATCH, HEADS, KEYS, WIDTH],
      v: [BATCH, HEADS, KEYS, WIDTH],
      mask: maskShape,
      dy: [BATCH, QUERIES, HEADS * WIDTH],
    }).map(([name, shape]) => [name, { shape, dtype: 'float32' }]),
  );

const withGradients =
  (formula: typeof attention): TensorProgram =>
  ({ q, k, v, mask, dy }) => {
    const { value, grads } = tf.valueAndGrads((...inputs) => formula(inputs[0], inputs[1], inputs[2], mask))(
      [q, k, v],
      dy,
    );
    return { value, dq: grads[0], dk: grads[1], dv: grads[2] };
  };

describe.each<[string, number[]]>([
  ['keys that a row does not see', [BATCH, 1, 1, KEYS]],
  ['keys that a query does not see', [QUERIES, KEYS]],
])('attention under a mask of %s', (_, maskShape) => {
  const inputs = specs(maskShape);
  const mask = random(maskShape).map((value) => (value > 1 ? MASKED : 0));
  mask[0] = MASKED;
  const feeds = {
    ...Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, random(shape)])),
    mask,
  };

  it.each(['eager', 'compiled'])('has the value and the gradients of its formula, %s', async (how) => {
    const own = await compile(withGradients(attention), inputs, {
      device: how === 'eager' ? 'eager' : device,
    });
    const plain = await compile(withGradients(plainAttention), inputs, { device: 'eager' });
    const [actual, expected] = [await own(feeds), await plain(feeds)];
    expect(Object.keys(actual)).toEqual(['value', 'dq', 'dk', 'dv']);
    for (const name of Object.keys(expected)) {
      expect(actual[name]).toHaveLength(expected[name].length);
      expected[name].forEach((value, i) => expect(actual[name][i]).toBeCloseTo(value, 5));
    }
    await own.dispose();
  });
});

it('keeps nothing of the size of its shares for the gradient', () => {
  const [layers, length] = [6, 64];
  const x: InputSpec = { shape: [1, 1, length, 1], dtype: 'float32' };
  const bytes = (formula: typeof attention) => {
    const program: TensorProgram = (w) => {
      const chain = (first: Tensor) =>
        Array.from({ length: layers }).reduce<Tensor>(
          (y) => tf.reshape(formula(y, y, y, tf.scalar(0)), [1, 1, length, 1]),
          first,
        );
      return { gradient: tf.grad((first) => tf.sum(chain(first)))(w.x) };
    };
    return programBytes({ program, inputs: { x }, constants: {} });
  };
  const shares = 4 * length * length;
  expect(bytes(plainAttention)).toBeGreaterThan(layers * shares);
  expect(bytes(attention)).toBeLessThan(4 * shares);
});
