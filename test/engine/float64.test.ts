import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, evaluateFloat64, exactScalar, tf } from '../../lib/engine/index.js';
import type { TensorProgram } from '../../lib/engine/index.js';

beforeAll(() => tf.setBackend('cpu'));

const vector = (data: readonly number[]) => ({ shape: [data.length], data });

describe('a formula in float64', () => {
  it('keeps numbers that float32 has not', () => {
    const tenth = 0.1;
    const { exact, rounded, sum } = evaluateFloat64(
      ({ x }) => ({
        exact: tf.mul(x, exactScalar(tenth)),
        rounded: tf.mul(x, tenth),
        sum: tf.sum(tf.add(x, x)),
      }),
      { x: vector([1, 2 ** 40 + 1]) },
    );
    expect([...exact]).toEqual([tenth, tenth * (2 ** 40 + 1)]);
    expect(rounded[0]).toBe(Math.fround(tenth));
    expect([...sum]).toEqual([2 * (2 ** 40 + 2)]);
  });

  it('stays finite where the plain formula overflows', () => {
    const { y } = evaluateFloat64(({ x }) => ({ y: tf.softplus(x) }), { x: vector([-800, 0, 800]) });
    expect([...y]).toEqual([0, Math.LN2, 800]);
  });

  it('names an operator that it lacks', () => {
    expect(() => evaluateFloat64(({ x }) => ({ y: tf.argMax(x) }), { x: vector([1, 2]) })).toThrow(
      /ArgMax cannot be evaluated in float64; these can: Add, Sub, /,
    );
  });

  const FORMULAS: Record<string, TensorProgram> = {
    hinge: ({ x, y }) => ({ z: tf.relu(tf.sub(1, tf.sub(x, y))) }),
    'squared distance': ({ x, y }) => ({ z: tf.square(tf.sub(tf.sub(x, y), 0.5)) }),
    'log odds': ({ x, y }) => ({ z: tf.sub(tf.log(tf.sigmoid(x)), tf.log1p(tf.exp(tf.neg(tf.abs(y))))) }),
    choice: ({ x, y }) => ({ z: tf.where(tf.greater(x, y), tf.maximum(x, 0), tf.minimum(y, 1)) }),
    shapes: ({ x, y }) => {
      const [a, b] = tf.split(tf.concat([x, y]), 2);
      const table = tf.transpose(tf.stack([a, b]));
      return { z: tf.div(tf.sum(table, 1), tf.add(2, tf.mean(tf.square(table)))) };
    },
    'axes of one': ({ x, y }) => ({ z: tf.sum(tf.mul(tf.expandDims(x, 1), tf.expandDims(y, 0)), 0) }),
    roots: ({ x, y }) => ({ z: tf.pow(tf.sqrt(tf.add(1, tf.square(x))), tf.tanh(y)) }),
  };

  it.each(Object.keys(FORMULAS))('gives what TensorFlow.js gives, but for rounding: %s', async (name) => {
    const shape = [3];
    const run = await compile(
      FORMULAS[name],
      { x: { shape, dtype: 'float32' }, y: { shape, dtype: 'float32' } },
      { device: 'eager' },
    );
    const numbers = fc.array(fc.integer({ min: -64, max: 64 }), { minLength: 3, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(numbers, numbers, async (xs, ys) => {
        const [x, y] = [xs.map((each) => each / 16), ys.map((each) => each / 16)];
        const { z } = evaluateFloat64(FORMULAS[name], { x: vector(x), y: vector(y) });
        const eager = (await run({ x: Float32Array.from(x), y: Float32Array.from(y) })).z;
        z.forEach((value, i) =>
          expect(Math.abs(value - eager[i])).toBeLessThanOrEqual(2e-5 * (1 + Math.abs(value))),
        );
      }),
      { numRuns: 20 },
    );
  });
});
