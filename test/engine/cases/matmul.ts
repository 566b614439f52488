import fc from 'fast-check';
import { tf } from '../../../lib/engine/index.js';
import { floats, type KernelCase, shapes, sizes } from './kernel-case.js';

interface Product {
  batch: number[];
  rows: number;
  inner: number;
  columns: number;
  transposeA: boolean;
  transposeB: boolean;
}

const products: fc.Arbitrary<Product> = fc.record({
  batch: shapes(0, 2),
  rows: sizes,
  inner: sizes,
  columns: sizes,
  transposeA: fc.boolean(),
  transposeB: fc.boolean(),
});

function operands({ batch, rows, inner, columns, transposeA, transposeB }: Product) {
  return {
    a: floats([...batch, ...(transposeA ? [inner, rows] : [rows, inner])]),
    b: floats([...batch, ...(transposeB ? [columns, inner] : [inner, columns])]),
  };
}

const batchMatMul: KernelCase = products.chain((product) =>
  fc.record(operands(product)).map((inputs) => ({
    inputs,
    program: ({ a, b }) => tf.matMul(a, b, product.transposeA, product.transposeB),
    differentiable: ['a', 'b'],
  })),
);

/** One matrix for all of a batch; TensorFlow.js has no gradient for it. */
const sharedMatrix: KernelCase = products.chain((product) =>
  fc
    .record({ a: operands(product).a, b: operands({ ...product, batch: product.batch.map(() => 1) }).b })
    .map((inputs) => ({
      inputs,
      program: ({ a, b }) => tf.matMul(a, b, product.transposeA, product.transposeB),
      differentiable: [],
    })),
);

const fusedMatMul: KernelCase = products.chain((product) =>
  fc.record({ ...operands(product), bias: floats([product.columns]) }).map((inputs) => ({
    inputs,
    program: ({ a, b, bias }) =>
      tf.fused.matMul({
        a: a as Parameters<typeof tf.fused.matMul>[0]['a'],
        b: b as Parameters<typeof tf.fused.matMul>[0]['b'],
        bias,
        transposeA: product.transposeA,
        transposeB: product.transposeB,
      }),
    differentiable: ['a', 'b', 'bias'],
  })),
);

export const matMulCases: Record<string, KernelCase> = {
  BatchMatMul: fc.oneof(batchMatMul, sharedMatrix),
  _FusedMatMul: fusedMatMul,
};
