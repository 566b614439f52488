import fc from 'fast-check';
import { elementCount } from '../../../lib/engine/graph.js';
import { tf } from '../../../lib/engine/index.js';
import {
  anAxis,
  eitherType,
  floats,
  integers,
  isFloat,
  type KernelCase,
  onX,
  shapes,
  sizes,
  someAxes,
} from './kernel-case.js';

const eachAxis = <T>(shape: number[], value: (size: number) => fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.tuple(...shape.map(value)) as unknown as fc.Arbitrary<T[]>;

/** Begin and length of a part of an axis; -1 is the length up to the end. */
const parts = (size: number): fc.Arbitrary<[number, number]> =>
  fc
    .nat(size - 1)
    .chain((begin) =>
      fc.tuple(
        fc.constant(begin),
        fc.constantFrom(-1, ...Array.from({ length: size - begin }, (_, i) => i + 1)),
      ),
    );

const reshape = onX(shapes().chain(eitherType), (shape) => {
  const count = elementCount(shape);
  const factors = [...Array(count).keys()].map((i) => i + 1).filter((factor) => count % factor === 0);
  return fc.constantFrom(...factors).map((factor) => (x) => tf.reshape(x, [factor, 1, -1]));
});

/** TensorFlow.js's gradient needs two outputs or more. */
const split = onX(
  fc
    .tuple(shapes(0, 3), fc.integer({ min: 2, max: 5 }))
    .chain(([shape, size]) => eitherType([...shape, size])),
  (shape) =>
    fc
      .tuple(fc.nat(shape.length - 1), fc.integer({ min: 1, max: shape.at(-1)! - 1 }), fc.constantFrom(-1, 1))
      .map(([axis, first, rest]) => (x) => {
        const last = shape.length - 1;
        const order = [...shape.keys()].map((i) => (i === axis ? last : i === last ? axis : i));
        const second = rest === -1 ? -1 : shape[last] - first;
        return tf.split(tf.transpose(x, order), [first, second], axis);
      }),
);

const concat: KernelCase = shapes(1).chain((shape) =>
  anAxis(shape.length).chain((axis) =>
    fc.tuple(sizes, sizes).chain(([first, second]) => {
      const resized = (size: number) => shape.with(axis, size);
      return fc
        .record({ a: floats(resized(first)), b: floats(resized(second)), c: floats(shape) })
        .map((inputs) => ({
          inputs,
          program: ({ a, b, c }) => tf.concat([a, b, c], axis),
          differentiable: ['a', 'b', 'c'],
        }));
    }),
  ),
);

const pack: KernelCase = shapes(0, 3).chain((shape) =>
  fc
    .record({ a: floats(shape), b: floats(shape), axis: fc.integer({ min: 0, max: shape.length }) })
    .map(({ a, b, axis }) => ({
      inputs: { a, b },
      program: (tensors) => tf.stack([tensors.a, tensors.b, tensors.a], axis),
      differentiable: ['a', 'b'],
    })),
);

const gather: KernelCase = shapes(1, 3).chain((shape) =>
  fc.tuple(anAxis(shape.length), shapes(1, 2)).chain(([axis, indexShape]) =>
    fc.record({ x: floats(shape), indices: integers(indexShape, 0, shape.at(axis)! - 1) }).map((inputs) => ({
      inputs,
      program: ({ x, indices }) => tf.gather(x, indices, axis),
      differentiable: ['x'],
    })),
  ),
);

const segmentSum: KernelCase = fc.tuple(shapes(1), sizes).chain(([shape, segments]) =>
  fc.record({ x: eitherType(shape), ids: integers([shape[0]], 0, segments - 1) }).map((inputs) => ({
    inputs,
    program: ({ x, ids }) =>
      tf.unsortedSegmentSum(x, ids as Parameters<typeof tf.unsortedSegmentSum>[1], segments),
    differentiable: isFloat(inputs.x) ? ['x'] : [],
  })),
);

/** Indices beyond the depth give a row of `offValue`. */
const oneHot: KernelCase = fc
  .tuple(shapes(1, 3), fc.integer({ min: 2, max: 5 }), fc.constantFrom('float32' as const, 'int32' as const))
  .chain(([shape, depth, dtype]) =>
    integers(shape, 0, depth).map((indices) => ({
      inputs: { indices },
      program: (tensors) =>
        tf.oneHot(tensors.indices as Parameters<typeof tf.oneHot>[0], depth, 3, -1, dtype),
      differentiable: [],
    })),
  );

export const shapeCases: Record<string, KernelCase> = {
  Reshape: reshape,
  ExpandDims: onX(shapes(0, 3).chain(eitherType), (shape) =>
    fc.integer({ min: -shape.length - 1, max: shape.length }).map((axis) => (x) => tf.expandDims(x, axis)),
  ),
  Transpose: onX(shapes(1).chain(eitherType), (shape) =>
    fc
      .shuffledSubarray([...shape.keys()], { minLength: shape.length })
      .map((order) => (x) => tf.transpose(x, order)),
  ),
  Slice: onX(shapes(1).chain(eitherType), (shape) =>
    eachAxis(shape, parts).map(
      (ranges) => (x) =>
        tf.slice(
          x,
          ranges.map(([begin]) => begin),
          ranges.map(([, size]) => size),
        ),
    ),
  ),
  SplitV: split,
  Concat: concat,
  Pack: pack,
  // TensorFlow.js's gradient needs two outputs or more.
  Unpack: onX(
    fc.array(fc.integer({ min: 2, max: 4 }), { minLength: 1, maxLength: 4 }).chain(eitherType),
    (shape) => anAxis(shape.length).map((axis) => (x) => tf.unstack(x, axis)),
  ),
  Tile: onX(shapes(1).chain(eitherType), (shape) =>
    eachAxis(shape, () => fc.integer({ min: 1, max: 3 })).map((repeats) => (x) => tf.tile(x, repeats)),
  ),
  PadV2: onX(shapes(1).chain(eitherType), (shape) =>
    eachAxis(shape, () => fc.tuple(fc.nat(2), fc.nat(2))).map((paddings) => (x) => tf.pad(x, paddings, 7)),
  ),
  Reverse: onX(shapes(1).chain(eitherType), (shape) =>
    someAxes(shape.length).map((axes) => (x) => tf.reverse(x, axes)),
  ),
  GatherV2: gather,
  UnsortedSegmentSum: segmentSum,
  OneHot: oneHot,
  Fill: onX(shapes().chain(floats), (shape) => fc.constant((x) => tf.add(x, tf.fill(shape, 2.5)))),
  ZerosLike: onX(shapes().chain(floats), () => fc.constant((x) => tf.maximum(x, tf.zerosLike(x)))),
  OnesLike: onX(shapes().chain(eitherType), () => fc.constant((x) => tf.sub(x, tf.onesLike(x)))),
};
