/**
 * What a matrix with a row for each token and a column for each id of the vocabulary is asked: log softmax over its rows, the element at
 * each row's label, and a number added there. One ONNX node each where a program is compiled, the plain formula where it runs eagerly.
 * No gradients.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { reshape } from './kernels/shape.js';
import { defineKernel, isTracing, type Trace } from './trace.js';
import { tf } from './tf.js';

const LOG_SOFTMAX = 'SpeechLogSoftmax';
const AT_LABELS = 'SpeechAtLabels';
const ADD_AT_LABELS = 'SpeechAddAtLabels';

type Info = Parameters<Trace['nameOf']>[0];

/** [N] as [N, 1]: one column. */
const column = (trace: Trace, x: Info): Info => reshape(trace, x, [-1, 1]);

defineKernel(LOG_SOFTMAX, (trace, { x }) => trace.emit('LogSoftmax', [x], x.shape, 'float32', { axis: -1 }));

defineKernel(AT_LABELS, (trace, { x, labels }) => {
  const rows = [x.shape[0]];
  const found = trace.emit('GatherElements', [x, column(trace, labels)], [...rows, 1], 'float32', {
    axis: 1,
  });
  return reshape(trace, found, rows);
});

defineKernel(ADD_AT_LABELS, (trace, { x, labels, values }) =>
  trace.emit('ScatterElements', [x, column(trace, labels), column(trace, values)], x.shape, 'float32', {
    axis: 1,
    reduction: 'add',
  }),
);

/** log(softmax(x)) over the last axis of x [N, V]. */
export function logSoftmax(x: Tensor): Tensor {
  if (isTracing()) return tf.engine().runKernel(LOG_SOFTMAX, { x });
  const shifted = tf.sub(x, tf.max(x, -1, true));
  return tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), -1, true)));
}

/** x[n, labels[n]] of x [N, V] and labels [N] (int32): [N]. */
export function atLabels(x: Tensor, labels: Tensor): Tensor {
  if (isTracing()) return tf.engine().runKernel(AT_LABELS, { x, labels });
  return tf.sum(tf.mul(x, oneHot(x, labels)), -1);
}

/** x [N, V] with values[n] [N] added at [n, labels[n]]. */
export function addAtLabels(x: Tensor, labels: Tensor, values: Tensor): Tensor {
  if (isTracing()) return tf.engine().runKernel(ADD_AT_LABELS, { x, labels, values });
  return tf.add(x, tf.mul(oneHot(x, labels), tf.expandDims(values, -1)));
}

function oneHot(x: Tensor, labels: Tensor): Tensor {
  const columns = tf.range(0, x.shape[1]!, 1, 'int32');
  return tf.cast(tf.equal(tf.expandDims(labels, -1), columns), 'float32');
}
