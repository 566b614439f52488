/** AdamW (Loshchilov & Hutter 2019) and the gradients' norm in TensorFlow.js operations, on the current backend. */
import type { Tensor, Variable } from '@tensorflow/tfjs-core';
import type { AdamWUpdate } from '../../device.js';
import { tf } from '../../tf.js';

/** The variables of one trained tensor, all of its shape. */
export interface Trained {
  readonly parameter: Variable;
  readonly gradient: Tensor;
  readonly mean: Variable;
  readonly square: Variable;
}

/**
 * g *= scale; p *= decay; m += (g - m) (1 - beta1); v = v beta2 + g^2 (1 - beta2); p -= step m / (sqrt(v) / root + epsilon).
 * Written out, since `tf.train.adam` has neither weight decay nor torch's place of epsilon.
 */
export function stepAdamW(all: Iterable<Trained>, update: AdamWUpdate): void {
  tf.tidy(() => {
    const scalar = (value: number) => tf.scalar(value, 'float32');
    const scale = scalar(update.gradientScale);
    const decay = scalar(update.decay);
    const oneMinusBeta1 = scalar(update.oneMinusBeta1);
    const beta2 = scalar(update.beta2);
    const oneMinusBeta2 = scalar(update.oneMinusBeta2);
    const root = scalar(update.root);
    const epsilon = scalar(update.epsilon);
    const step = scalar(update.step);
    for (const { parameter, gradient, mean, square } of all) {
      tf.tidy(() => {
        const g = tf.mul(gradient, scale);
        mean.assign(tf.add(mean, tf.mul(tf.sub(g, mean), oneMinusBeta1)));
        square.assign(tf.add(tf.mul(square, beta2), tf.mul(tf.square(g), oneMinusBeta2)));
        const deviation = tf.add(tf.div(tf.sqrt(square), root), epsilon);
        const kept = update.decay === 1 ? parameter : tf.mul(parameter, decay);
        parameter.assign(tf.sub(kept, tf.mul(step, tf.div(mean, deviation))));
      });
    }
  });
}

/** Squares that the backend sums in float32. */
const ROW = 1024;

/**
 * TensorFlow.js has no float64. The backend sums rows of 1,024 squares in float32, and what they come to is added here in float64, so that
 * the error does not grow with the model's size.
 */
export function sumOfSquares(tensors: Iterable<Tensor>): number {
  let sum = 0;
  for (const tensor of tensors) {
    const rows = tf.tidy(() => {
      const squares = tf.square(tf.reshape(tensor, [-1]));
      const padded = tf.pad(squares, [[0, (ROW - (squares.size % ROW)) % ROW]]);
      return tf.sum(tf.reshape(padded, [-1, ROW]), 1);
    });
    for (const each of rows.dataSync()) sum += each;
    rows.dispose();
  }
  return sum;
}
