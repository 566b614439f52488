import type { Tensor } from '@tensorflow/tfjs-core';
import { expect, it, beforeAll } from 'vitest';
import { tf } from '../../lib/engine/index.js';
import { labelLogProbs } from '../../lib/policy/log-probs.js';
import { uniformStream } from '../../lib/random.js';

beforeAll(() => tf.setBackend('cpu'));

const ROWS = 5;
const VOCABULARY = 7;
const uniform = uniformStream(1);
const logits = Float32Array.from({ length: ROWS * VOCABULARY }, () => 10 * uniform() - 5);
const labels = [0, 6, 3, 3, 1];

/** In float64, from the definition. */
function reference(row: number) {
  const scores = Array.from(logits.subarray(row * VOCABULARY, (row + 1) * VOCABULARY));
  const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
  return {
    logProb: scores[labels[row]] - Math.log(total),
    gradient: scores.map((score, id) => (id === labels[row] ? 1 : 0) - Math.exp(score) / total),
  };
}

it('is log softmax at the label, with the gradient one-hot minus softmax', () => {
  const dy = [1, -2, 0.5, 0, 3];
  const operator = (x: Tensor) => labelLogProbs(x, tf.tensor1d(labels, 'int32'));
  const { value, grad } = tf.valueAndGrad(operator)(tf.tensor2d(logits, [ROWS, VOCABULARY]), tf.tensor1d(dy));
  const values = value.dataSync();
  const gradients = grad.dataSync();
  labels.forEach((_, row) => {
    const { logProb, gradient } = reference(row);
    expect(values[row]).toBeCloseTo(logProb, 5);
    gradient.forEach((expected, id) => {
      expect(gradients[row * VOCABULARY + id]).toBeCloseTo(dy[row] * expected, 5);
    });
  });
});

it('stays finite where softmax underflows', () => {
  const extreme = tf.tensor2d([[1000, -1000, 0]]);
  const { value, grad } = tf.valueAndGrad((x: Tensor) => labelLogProbs(x, tf.tensor1d([1], 'int32')))(
    extreme,
  );
  expect([...value.dataSync()]).toEqual([-2000]);
  expect([...grad.dataSync()]).toEqual([-1, 1, 0]);
});
