import type { Tensor } from '@tensorflow/tfjs-core';
import { defineKernel, isTracing } from './trace.js';
import { tf } from './tf.js';

const SPLIT_ROWS = 'SpeechSplitRows';

defineKernel(SPLIT_ROWS, (trace, { x, groups }, { shape }) => {
  const inner = shape as number[];
  const count = groups.shape[0];
  // A constant, once ONNX Runtime has looked, where the axis is not open.
  const first = trace.emit('Shape', [groups], [1], 'int64', { start: 0, end: 1 });
  const others = trace.constant([-1, ...inner], 'int64');
  const sizes = trace.emit('Concat', [first, others], [2 + inner.length], 'int64', { axis: 0 });
  return trace.emit('Reshape', [x, sizes], [count, x.shape[0] / count, ...inner], x.dtype);
});

/**
 * Rows [P * G, ...] of as many groups as `groups` [P, ...] has rows, as [P, G, ...shape]. Both sizes may be open (`InputSpec.openAxes`), where a
 * reshape can leave but one to be found. Not differentiable.
 */
export function splitRows(x: Tensor, groups: Tensor, shape: readonly number[]): Tensor {
  if (isTracing()) return tf.engine().runKernel(SPLIT_ROWS, { x, groups }, { shape: [...shape] });
  return tf.reshape(x, [groups.shape[0], -1, ...shape]);
}
