/**
 * Operators that ONNX Runtime has as one node, as TensorFlow.js operators with hand-written gradients: one node instead of ten
 * where a program is compiled, the plain formula where it runs eagerly on another backend.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { defineKernel, isTracing } from './trace.js';
import { tf } from './tf.js';

const LAYER_NORM = 'SpeechLayerNorm';
const GELU = 'SpeechGelu';
const TIME_MAJOR_MATMUL = 'SpeechTimeMajorMatMul';

defineKernel(LAYER_NORM, (trace, { x, gamma, beta }, { epsilon }) => {
  const row = [...x.shape.slice(0, -1), 1];
  return trace.emitAll(
    'LayerNormalization',
    [x, gamma, beta],
    [x.shape, row, row].map((shape) => ({ shape, dtype: 'float32' as const })),
    { axis: -1, epsilon: { float: epsilon as number } },
  );
});
defineKernel(GELU, (trace, { x }) => trace.emit('Gelu', [x], x.shape, 'float32', {}, 'com.microsoft'));

defineKernel(TIME_MAJOR_MATMUL, (trace, { a, b }, { transposeB }) => {
  const shape = [a.shape[0], a.shape[1], transposeB ? b.shape[0] : b.shape[2]];
  return trace.emit(
    'FusedMatMul',
    [a, b],
    shape,
    'float32',
    { transBatchB: 1, transB: transposeB ? 1 : 0 },
    'com.microsoft',
  );
});

/**
 * Batched product with a time-major cache: a [N, M, K] with b [T, N, D] seen as [N, T, D], without moving b.
 * transposeB: a [N, M, D] times b transposed gives [N, M, T]; otherwise a [N, M, T] gives [N, M, D]. Not differentiable.
 */
export function timeMajorMatMul(a: Tensor, b: Tensor, transposeB: boolean): Tensor {
  if (isTracing()) return tf.engine().runKernel(TIME_MAJOR_MATMUL, { a, b }, { transposeB });
  return tf.matMul(a, tf.transpose(b, [1, 0, 2]), false, transposeB);
}

/**
 * Layer normalization over the last axis (Ba et al. 2016): (x - mean) / sqrt(variance + epsilon) * gamma + beta.
 * x [..., d], gamma [d], beta [d]; differentiable in all three.
 */
export function layerNorm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon = 1e-5): Tensor {
  const operator = tf.customGrad((...args) => {
    const [input, scale, shift] = args as Tensor[];
    const save = args[3] as unknown as (tensors: Tensor[]) => void;
    const [value, mean, inverseDeviation] = normalize(input, scale, shift, epsilon);
    save([input, scale, mean, inverseDeviation]);
    return {
      value,
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [x0, gamma0, mean0, inverse0] = saved;
        const normalized = tf.mul(tf.sub(x0, mean0), inverse0);
        const leading = x0.shape.slice(0, -1).map((_, axis) => axis);
        const g = tf.mul(dy, gamma0);
        const centred = tf.sub(
          tf.sub(g, tf.mean(g, -1, true)),
          tf.mul(normalized, tf.mean(tf.mul(g, normalized), -1, true)),
        );
        return [tf.mul(centred, inverse0), tf.sum(tf.mul(dy, normalized), leading), tf.sum(dy, leading)];
      },
    };
  });
  return operator(x, gamma, beta);
}

function normalize(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: number): Tensor[] {
  if (isTracing())
    return tf.engine().runKernel(LAYER_NORM, { x, gamma, beta }, { epsilon }) as unknown as Tensor[];
  const mean = tf.mean(x, -1, true);
  const centred = tf.sub(x, mean);
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
  return [tf.add(tf.mul(tf.mul(centred, inverse), gamma), beta), mean, inverse];
}

/** Gaussian error linear unit in its exact form, x * Phi(x) (Hendrycks & Gimpel 2016), as transformers' "gelu". */
export function gelu(x: Tensor): Tensor {
  const operator = tf.customGrad((...args) => {
    const input = args[0] as Tensor;
    const save = args[1] as unknown as (tensors: Tensor[]) => void;
    const value: Tensor = isTracing()
      ? tf.engine().runKernel(GELU, { x: input })
      : tf.mul(input, gaussianCdf(input));
    save([input]);
    return {
      value,
      gradFunc: (dy: Tensor, [x0]: Tensor[]) => {
        const density = tf.mul(tf.exp(tf.mul(tf.square(x0), -0.5)), 1 / Math.sqrt(2 * Math.PI));
        return tf.mul(dy, tf.add(gaussianCdf(x0), tf.mul(x0, density)));
      },
    };
  });
  return operator(x);
}

function gaussianCdf(x: Tensor): Tensor {
  return tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
}
