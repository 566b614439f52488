import { expect, it } from 'vitest';
import { lstm, programBytes, tf, traceGraph, type TensorProgram } from '../../lib/engine/index.js';
import { memoryPeak } from '../../lib/engine/peak-memory.js';

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
  // What an operator reads twice is freed once.
  expect(
    bytes(({ x }) => {
      const twice = tf.sin(x);
      const kept = tf.mul(twice, twice);
      return { y: tf.add(kept, tf.cos(tf.tanh(tf.neg(kept)))) };
    }),
  ).toBe(3 * KIB);
});

it('counts as many bytes as an element has', () => {
  // A byte each of what is asked, and four of what is taken.
  expect(bytes(({ x }) => ({ y: tf.exp(tf.where(tf.greater(x, 0), x, x)) }))).toBe(KIB / 4 + KIB);
});

it('tells the first node at which so much is taken', () => {
  const inputs = { x: { shape: [256], dtype: 'float32' } } as const;
  const chain: TensorProgram = ({ x }) => ({ y: tf.exp(tf.sin(tf.cos(tf.tanh(tf.neg(x))))) });
  expect(memoryPeak(traceGraph(chain, inputs)).node).toBe(1);
});

it('does not count the same memory seen with another shape', () => {
  expect(bytes(({ x }) => ({ y: tf.exp(tf.reshape(tf.sin(x), [16, 16])) }))).toBe(KIB);
  // It is held as long as it is read with that shape.
  expect(
    bytes(({ x }) => {
      const square = tf.reshape(tf.sin(x), [16, 16]);
      return { y: tf.add(tf.neg(tf.exp(square)), square) };
    }),
  ).toBe(3 * KIB);
});

it('frees what nobody reads, and counts neither constants nor what an output is seen of', () => {
  // Of one part nothing is read.
  expect(
    bytes(({ x }) => {
      const [half] = tf.split(tf.sin(x), 2);
      return { y: tf.exp(tf.tanh(tf.neg(tf.concat([half, half])))) };
    }),
  ).toBe(2 * KIB);
  const ones = () => tf.tensor1d(Array.from({ length: 256 }, (_, i) => i));
  expect(bytes(({ x }) => ({ y: tf.neg(tf.exp(tf.mul(x, ones()))) }))).toBe(2 * KIB);
  expect(bytes(({ x }) => ({ y: tf.reshape(tf.sin(x), [16, 16]) }))).toBe(0);
});

it('counts nothing for an input that an operator does without', () => {
  const zeros = (...shape: number[]) => tf.fill(shape, 0);
  const program: TensorProgram = ({ x }) => {
    const weights = { inputWeight: zeros(1, 16, 64), stateWeight: zeros(1, 16, 4), bias: zeros(1, 32) };
    const state = { hidden: zeros(1, 1, 4), cell: zeros(1, 1, 4) };
    return { y: lstm(tf.reshape(x, [4, 1, 64]), weights, state).y };
  };
  expect(bytes(program)).toBeGreaterThan(0);
});
