import { createRequire } from 'node:module';
import type * as Whole from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { tf } from '../../lib/engine/index.js';

it('a program that loads the whole of TensorFlow.js shares the parts that are loaded here', async () => {
  const engine = tf.engine();
  const whole = createRequire(import.meta.url)('@tensorflow/tfjs') as typeof Whole;
  expect(whole.engine()).toBe(engine);
  expect(whole.Tensor).toBe(tf.Tensor);
  expect(whole.version_core).toBe(tf.version_core);
  const gradient = whole.grad((x: Whole.Tensor) => tf.sum(tf.square(x)))(tf.tensor1d([1, 2]));
  expect(Array.from(await gradient.data())).toEqual([2, 4]);
});
