/** Matrix products: Gemm for two matrices (it takes transposes and a bias), FusedMatMul for batches. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { defineKernel, type Trace } from '../trace.js';
import { tf } from '../tf.js';
import { reshape } from './shape.js';

/** tf.fused.matMul and its gradient make batches of one of matrices; more axes of one may be such as are open. */
const isMatrix = ({ shape }: TensorInfo): boolean =>
  shape.length === 2 || (shape.length === 3 && shape[0] === 1);

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
  if (isMatrix(a) && isMatrix(b)) {
    const matrices = [a, b].map((x) => reshape(trace, x, [-1, x.shape.at(-1)!]));
    const inputs = bias ? [...matrices, bias] : matrices;
    return reshape(trace, trace.emit('Gemm', inputs, [rows, columns], 'float32', transposes), shape);
  }
  const product =
    transposeA || transposeB
      ? trace.emit('FusedMatMul', [a, b], shape, 'float32', transposes, 'com.microsoft')
      : trace.emit('MatMul', [a, b], shape, 'float32');
  return bias ? trace.emit('Add', [product, bias], shape, 'float32') : product;
}

defineKernel('BatchMatMul', (trace, { a, b }, { transposeA, transposeB }) =>
  matMul(trace, a, b, transposeA === true, transposeB === true),
);
defineKernel('_FusedMatMul', (trace, { a, b, bias }, { transposeA, transposeB, activation }) => {
  if (activation && activation !== 'linear')
    throw new TypeError(`tf.fused.matMul with activation ${activation} cannot be compiled`);
  return matMul(trace, a, b, transposeA === true, transposeB === true, bias);
});
