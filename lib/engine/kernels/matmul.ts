/** Matrix products: Gemm for two matrices (it takes transposes and a bias), FusedMatMul for batches. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { defineKernel, type Trace } from '../trace.js';
import { tf } from '../tf.js';
import { reshape } from './shape.js';

function matMul(
  trace: Trace,
  a: TensorInfo,
  b: TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
  bias?: TensorInfo,
): TensorInfo {
  const rank = a.shape.length;
  const rows = a.shape[transposeA ? rank - 1 : rank - 2];
  const columns = b.shape[transposeB ? b.shape.length - 2 : b.shape.length - 1];
  const batch = tf.backend_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...batch, rows, columns];
  const transposes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
  if (rank === 2 && b.shape.length === 2)
    return trace.emit('Gemm', bias ? [a, b, bias] : [a, b], shape, 'float32', transposes);
  const product =
    transposeA || transposeB
      ? trace.emit('FusedMatMul', [a, b], shape, 'float32', transposes, 'com.microsoft')
      : trace.emit('MatMul', [a, b], shape, 'float32');
  return bias ? trace.emit('Add', [product, bias], shape, 'float32') : product;
}

defineKernel('BatchMatMul', (trace, { a, b }, { transposeA, transposeB }) =>
  matMul(trace, a, b, transposeA === true, transposeB === true),
);
/** tf.fused.matMul makes batches of one of its matrices. */
defineKernel('_FusedMatMul', (trace, { a, b, bias }, { transposeA, transposeB, activation }) => {
  if (activation && activation !== 'linear')
    throw new TypeError(`tf.fused.matMul with activation ${activation} cannot be compiled`);
  const areMatrices = a.shape[0] === 1 && b.shape[0] === 1;
  const [first, second] = areMatrices ? [a, b].map((x) => reshape(trace, x, [-1, x.shape[2]])) : [a, b];
  const product = matMul(trace, first, second, transposeA === true, transposeB === true, bias);
  return areMatrices ? reshape(trace, product, [1, ...product.shape]) : product;
});
