import type { Tensor } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { tf } from '../../../lib/engine/index.js';
import {
  anAxis,
  eitherType,
  floats,
  type HostInput,
  type KernelCase,
  onX,
  shapes,
  someAxes,
  wholeFloats,
} from './kernel-case.js';

type Reduction = (x: Tensor, axis?: number[], keepDims?: boolean) => Tensor;

function reduction(
  operator: Reduction,
  values: (shape: number[]) => fc.Arbitrary<HostInput> = floats,
): KernelCase {
  return onX(shapes().chain(values), (shape) =>
    fc.tuple(fc.option(someAxes(shape.length), { nil: undefined }), fc.boolean()).map(
      ([axes, keepDims]) =>
        (x) =>
          operator(x, axes, keepDims),
    ),
  );
}

function arg(operator: (x: Tensor, axis: number) => Tensor): KernelCase {
  return onX(shapes(1).chain(wholeFloats), (shape) =>
    anAxis(shape.length).map((axis) => (x) => operator(x, axis)),
  ).map((drawn) => ({ ...drawn, differentiable: [] }));
}

function alongLastAxis(operator: (x: Tensor) => Tensor): KernelCase {
  return onX(
    shapes(1).chain((shape) => floats(shape, -20, 20)),
    () => fc.constant(operator),
  );
}

export const reduceCases: Record<string, KernelCase> = {
  Sum: reduction(tf.sum, eitherType),
  Mean: reduction(tf.mean),
  // Equal values share no gradient: each of them gets all of it, in both engines.
  Max: reduction(tf.max, (shape) => fc.oneof(floats(shape), wholeFloats(shape))),
  Min: reduction(tf.min, (shape) => fc.oneof(floats(shape), wholeFloats(shape))),
  // Its gradient needs Cumprod, which has no mapping.
  Prod: reduction(tf.prod).map((drawn) => ({ ...drawn, differentiable: [] })),
  ArgMax: arg(tf.argMax),
  ArgMin: arg(tf.argMin),
  Softmax: alongLastAxis((x) => tf.softmax(x)),
  // TensorFlow.js's gradient is right for the last axis only.
  Cumsum: onX(shapes(1).chain(floats), (shape) =>
    fc.tuple(fc.boolean(), fc.boolean()).map(
      ([exclusive, reverse]) =>
        (x) =>
          tf.cumsum(x, shape.length - 1, exclusive, reverse),
    ),
  ),
};
