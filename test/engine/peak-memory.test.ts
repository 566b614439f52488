import { expect, it } from 'vitest';
import { programBytes, tf, type TensorProgram } from '../../lib/engine/index.js';

const KIB = 1024;
const bytes = (program: TensorProgram) =>
  programBytes({ program, inputs: { x: { shape: [256], dtype: 'float32' } }, constants: {} });

it('counts what lives at the same time', () => {
  // The input and the output lie elsewhere.
  expect(bytes(({ x }) => ({ y: tf.exp(x) }))).toBe(0);
  expect(bytes(({ x }) => ({ y: tf.exp(tf.sin(x)) }))).toBe(KIB);
  // A chain holds two at most, however long it is.
  expect(bytes(({ x }) => ({ y: tf.exp(tf.sin(tf.cos(tf.tanh(tf.neg(x))))) }))).toBe(2 * KIB);
  // What is read again at the end is held until then.
  expect(
    bytes(({ x }) => {
      const kept = tf.sin(x);
      return { y: tf.add(kept, tf.cos(tf.tanh(tf.neg(kept)))) };
    }),
  ).toBe(3 * KIB);
});

it('does not count the same memory seen with another shape', () => {
  expect(bytes(({ x }) => ({ y: tf.exp(tf.reshape(tf.sin(x), [16, 16])) }))).toBe(KIB);
});
