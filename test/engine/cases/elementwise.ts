import type { Tensor } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { tf } from '../../../lib/engine/index.js';
import {
  broadcastShapes,
  eitherType,
  floats,
  type HostInput,
  integers,
  isFloat,
  type KernelCase,
  shapes,
  wholeFloats,
} from './kernel-case.js';

type Values = (shape: number[]) => fc.Arbitrary<HostInput>;
type Binary = (a: Tensor, b: Tensor) => Tensor;
type Unary = (x: Tensor) => Tensor;

const between =
  (low: number, high: number): Values =>
  (shape) =>
    floats(shape, low, high);

function binary(operator: Binary, first: Values = between(-2, 2), second: Values = first): KernelCase {
  return broadcastShapes.chain(([a, b]) =>
    fc.record({ a: first(a), b: second(b) }).map((inputs) => ({
      inputs,
      program: ({ a, b }) => operator(a, b),
      differentiable: ['a', 'b'].filter((name) => isFloat(inputs[name as 'a' | 'b'])),
    })),
  );
}

/** Both float and int32 inputs. */
function arithmetic(operator: Binary): KernelCase {
  return fc.oneof(
    binary(operator),
    binary(operator, (shape) => integers(shape)),
  );
}

/** Arithmetic whose gradient TensorFlow.js has for equal shapes only. */
function sameShapeGradient(operator: Binary): KernelCase {
  const twins = shapes().chain((shape) => fc.record({ a: floats(shape), b: floats(shape) }));
  const differentiated = twins.map((inputs) => ({
    inputs,
    program: ({ a, b }: Record<string, Tensor>) => operator(a, b),
    differentiable: ['a', 'b'],
  }));
  const broadcast = arithmetic(operator).map((drawn) => ({ ...drawn, differentiable: [] }));
  return fc.oneof(differentiated, broadcast);
}

/** A comparison as numbers 0 and 1, of values that are often equal. */
function comparison(operator: Binary): KernelCase {
  const asNumbers: Binary = (a, b) => tf.cast(operator(a, b), 'float32');
  const compare = fc.oneof(
    binary(asNumbers, (shape) => wholeFloats(shape)),
    binary(asNumbers, (shape) => integers(shape)),
  );
  return compare.map((drawn) => ({ ...drawn, differentiable: [] }));
}

const truth = (x: Tensor): Tensor => tf.cast(x, 'bool');

function unary(operator: Unary, values: Values = between(-2, 2), differentiable = true): KernelCase {
  return shapes()
    .chain(values)
    .map((x) => ({
      inputs: { x },
      program: ({ x }) => operator(x),
      differentiable: differentiable && isFloat(x) ? ['x'] : [],
    }));
}

/** Not on whole numbers: there the derivative jumps. */
const awayFromWhole: Values = (shape) =>
  fc.tuple(wholeFloats(shape), floats(shape, 0.1, 0.9)).map(([whole, part]) => ({
    shape,
    data: Float32Array.from(whole.data, (value, i) => value + part.data[i]),
  }));

const withNaN: Values = (shape) =>
  wholeFloats(shape).map(({ data }) => ({ shape, data: data.map((value) => (value === 2 ? NaN : value)) }));

export const elementwiseCases: Record<string, KernelCase> = {
  Add: arithmetic(tf.add),
  Sub: arithmetic(tf.sub),
  Multiply: arithmetic(tf.mul),
  RealDiv: binary(tf.div, between(-2, 2), between(0.3, 2)),
  Maximum: sameShapeGradient(tf.maximum),
  Minimum: sameShapeGradient(tf.minimum),
  Pow: binary(tf.pow, between(0.3, 2), between(-2, 2)),
  SquaredDifference: sameShapeGradient(tf.squaredDifference),
  Equal: comparison(tf.equal),
  NotEqual: comparison(tf.notEqual),
  Greater: comparison(tf.greater),
  GreaterEqual: comparison(tf.greaterEqual),
  Less: comparison(tf.less),
  LessEqual: comparison(tf.lessEqual),
  LogicalAnd: comparison((a, b) => tf.logicalAnd(truth(a), truth(b))),
  LogicalOr: comparison((a, b) => tf.logicalOr(truth(a), truth(b))),
  LogicalNot: unary((x) => tf.cast(tf.logicalNot(truth(x)), 'float32'), integers, false),
  Exp: unary(tf.exp),
  Log: unary(tf.log, between(0.2, 3)),
  Log1p: unary(tf.log1p, between(-0.5, 3)),
  Neg: unary(tf.neg, eitherType),
  Abs: unary(tf.abs, eitherType),
  Erf: unary(tf.erf, between(-4, 4)),
  Sqrt: unary(tf.sqrt, between(0.2, 3)),
  Rsqrt: unary(tf.rsqrt, between(0.2, 3)),
  Square: unary(tf.square, eitherType),
  Sigmoid: unary(tf.sigmoid, between(-20, 20)),
  Tanh: unary(tf.tanh, between(-5, 5)),
  Reciprocal: unary(tf.reciprocal, between(0.3, 2)),
  Softplus: unary(tf.softplus, between(-100, 100)),
  Relu: unary(tf.relu),
  // Its gradient is a kernel of its own, EluGrad, which has no mapping.
  Elu: unary(tf.elu, between(-5, 5), false),
  Sin: unary(tf.sin, between(-7, 7)),
  Cos: unary(tf.cos, between(-7, 7)),
  Floor: unary(tf.floor, awayFromWhole),
  Sign: unary(tf.sign, (shape) => fc.oneof(floats(shape), wholeFloats(shape))),
  Identity: unary(tf.clone, eitherType),
  Step: fc.oneof(
    unary((x) => tf.step(x, 0.25), withNaN),
    unary((x) => tf.step(x, 2), integers, false),
  ),
  ClipByValue: unary((x) => tf.clipByValue(x, -1, 0.5)),
  Cast: fc.oneof(
    unary((x) => tf.cast(x, 'int32'), between(-5, 5), false),
    unary((x) => tf.cast(x, 'float32'), integers, false),
    unary(
      (x) => tf.cast(tf.cast(x, 'bool'), 'float32'),
      (shape) => wholeFloats(shape, -1, 1),
      false,
    ),
    unary((x) => tf.mul(tf.cast(tf.cast(x, 'bool'), 'int32'), x), integers, false),
  ),
  Select: broadcastShapes.chain(([a, b]) =>
    fc.record({ condition: integers(a, 0, 1), t: floats(b), e: floats(a) }).map((inputs) => ({
      inputs,
      program: ({ condition, t, e }) => tf.where(tf.cast(condition, 'bool'), t, e),
      differentiable: ['t', 'e'],
    })),
  ),
  AddN: shapes().chain((shape) =>
    fc.record({ a: floats(shape), b: floats(shape), c: floats(shape) }).map((inputs) => ({
      inputs,
      program: ({ a, b, c }) => tf.addN([a, b, c]),
      differentiable: ['a', 'b', 'c'],
    })),
  ),
};
