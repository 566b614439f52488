/**
 * A formula in TensorFlow.js operators, evaluated in float64: its trace, the one that `compile` turns into a graph, is read node by node.
 * For formulas on a few numbers, whose float32 a program computes and whose figures are to be exact; a network belongs into `compile`.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import './kernels/index.js';
import { elementCount, type Attribute, type Graph, type GraphNode } from './graph.js';
import { tf } from './tf.js';
import { trace, type TensorProgram } from './trace.js';

/** A tensor's values in row-major order, bool as 0 and 1. */
interface Float64Tensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Numbers of the formula being evaluated, by the name that the trace has for them. */
let numbers: Map<string, number> | undefined;

/** `tf.scalar(value)` that keeps all bits of the number where a formula is evaluated in float64; in a compiled graph it is a float32. */
export function exactScalar(value: number): Tensor {
  if (numbers === undefined) return tf.scalar(value);
  const name = `exact scalar ${numbers.size}`;
  numbers.set(name, value);
  return tf.engine().makeTensorFromTensorInfo({ dataId: { name }, shape: [], dtype: 'float32' });
}

/** A traced formula: its outputs by name, of inputs in row-major order. */
export type Float64Formula = (
  inputs: Readonly<Record<string, ArrayLike<number>>>,
) => Record<string, Float64Array>;

/**
 * Traces `program` once, to be evaluated in float64 as often as there are inputs of these shapes. Numbers written into it are float32
 * constants, as they are in a graph: 0.1 is 0.10000000149. `exactScalar` keeps them whole.
 *
 * @returns a function that throws an Error naming an operator that cannot be evaluated, and those that can
 */
export function traceFloat64(
  program: TensorProgram,
  shapes: Readonly<Record<string, readonly number[]>>,
): Float64Formula {
  const exact = new Map<string, number>();
  numbers = exact;
  let graph: Graph;
  try {
    graph = trace(
      program,
      Object.fromEntries(
        Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: 'float32' as const }]),
      ),
    );
  } finally {
    numbers = undefined;
  }
  const constants = new Map<string, Float64Tensor>();
  for (const [name, value] of exact) constants.set(name, { shape: [], data: Float64Array.of(value) });
  for (const [name, { shape, data }] of graph.constants)
    constants.set(name, { shape, data: Float64Array.from(data as ArrayLike<number | bigint>, Number) });
  return (inputs) => {
    const values = new Map(constants);
    for (const [name, shape] of Object.entries(shapes))
      values.set(name, { shape, data: Float64Array.from(inputs[name]) });
    for (const node of graph.nodes) {
      const outputShapes = node.outputs.map((name) => graph.values.get(name)!.shape);
      const results = evaluate(
        node,
        node.inputs.map((name) => values.get(name)!),
        outputShapes,
      );
      node.outputs.forEach((name, i) => values.set(name, { shape: outputShapes[i], data: results[i] }));
    }
    return Object.fromEntries(graph.outputs.map(({ name }) => [name, values.get(name)!.data]));
  };
}

/** The outputs of `program` in float64, by name; see {@link traceFloat64}. */
export function evaluateFloat64(
  program: TensorProgram,
  inputs: Readonly<Record<string, { shape: readonly number[]; data: ArrayLike<number> }>>,
): Record<string, Float64Array> {
  const given = Object.entries(inputs);
  const formula = traceFloat64(program, Object.fromEntries(given.map(([name, { shape }]) => [name, shape])));
  return formula(Object.fromEntries(given.map(([name, { data }]) => [name, data])));
}

function evaluate(
  node: GraphNode,
  inputs: readonly Float64Tensor[],
  shapes: readonly (readonly number[])[],
): readonly Float64Array[] {
  const elementwise = ELEMENTWISE[node.op];
  if (elementwise) {
    const operands = inputs.map((input) => broadcast(input, shapes[0]));
    return [operands[0].map((_, i) => elementwise(...operands.map((operand) => operand[i])))];
  }
  const operator = OPERATORS[node.op];
  if (operator) return operator(inputs, shapes, node.attributes);
  const known = [...Object.keys(ELEMENTWISE), ...Object.keys(OPERATORS)].join(', ');
  throw new Error(`the operator ${node.op} cannot be evaluated in float64; these can: ${known}`);
}

/** One number of each operand, broadcast, to one number; by ONNX's names. */
const ELEMENTWISE: Readonly<Record<string, (...x: number[]) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Pow: (a, b) => a ** b,
  Max: Math.max,
  Min: Math.min,
  Sum: (...x) => x.reduce((sum, value) => sum + value),
  Neg: (x) => -x,
  Abs: Math.abs,
  Sign: Math.sign,
  Floor: Math.floor,
  Reciprocal: (x) => 1 / x,
  Sqrt: Math.sqrt,
  Exp: Math.exp,
  Log: Math.log,
  Tanh: Math.tanh,
  // log(1 + exp(x)) without overflow for large x.
  Softplus: (x) => Math.max(0, x) + Math.log1p(Math.exp(-Math.abs(x))),
  Relu: (x) => Math.max(0, x),
  Clip: (x, low, high) => Math.min(Math.max(x, low), high),
  IsNaN: (x) => Number(Number.isNaN(x)),
  Equal: (a, b) => Number(a === b),
  Greater: (a, b) => Number(a > b),
  GreaterOrEqual: (a, b) => Number(a >= b),
  Less: (a, b) => Number(a < b),
  LessOrEqual: (a, b) => Number(a <= b),
  And: (a, b) => Number(a !== 0 && b !== 0),
  Or: (a, b) => Number(a !== 0 || b !== 0),
  Not: (x) => Number(x === 0),
  Where: (condition, a, b) => (condition !== 0 ? a : b),
};

type Operator = (
  inputs: readonly Float64Tensor[],
  shapes: readonly (readonly number[])[],
  attributes: Readonly<Record<string, Attribute>>,
) => Float64Array[];

/** ONNX's codes of types. */
const INT32 = 6;
const BOOL = 9;

/** What is more than one number in, one number out. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  Identity: ([{ data }]) => [data],
  Reshape: ([{ data }]) => [data],
  Unsqueeze: ([{ data }]) => [data],
  Expand: ([x], [shape]) => [broadcast(x, shape)],
  Cast: ([{ data }], _, { to }) => [
    to === INT32 ? data.map(Math.trunc) : to === BOOL ? data.map((x) => Number(x !== 0)) : data,
  ],
  Transpose: ([x], [shape], { perm }) => {
    const strides = stridesOf(x.shape);
    return [
      view(
        x.data,
        shape,
        (perm as number[]).map((axis) => strides[axis]),
      ),
    ];
  },
  Split: ([x], shapes, { axis }) => {
    const along = axis as number;
    const strides = stridesOf(x.shape);
    let start = 0;
    return shapes.map((shape) => {
      const part = view(x.data, shape, strides, start * strides[along]);
      start += shape[along];
      return part;
    });
  },
  Slice: ([x, starts, , axes, steps], [shape]) => {
    const strides = stridesOf(x.shape);
    const moved = [...strides];
    let offset = 0;
    axes.data.forEach((axis, i) => {
      const start = starts.data[i];
      offset += (start < 0 ? start + x.shape[axis] : start) * strides[axis];
      moved[axis] *= steps?.data[i] ?? 1;
    });
    return [view(x.data, shape, moved, offset)];
  },
  Concat: (parts, [shape], { axis }) => {
    const along = axis as number;
    const joined = new Float64Array(elementCount(shape));
    const strides = stridesOf(shape);
    let start = 0;
    for (const part of parts) {
      const places = view(indices(joined.length), part.shape, strides, start * strides[along]);
      part.data.forEach((value, i) => (joined[places[i]] = value));
      start += part.shape[along];
    }
    return [joined];
  },
  ReduceSum: ([x, axes]) => [reduce(x, [...axes.data], (a, b) => a + b, 0)],
  ReduceMean: ([x], _, { axes }) => {
    const sums = reduce(x, axes as number[], (a, b) => a + b, 0);
    const count = x.data.length / sums.length;
    return [sums.map((sum) => sum / count)];
  },
  ReduceMax: ([x], _, { axes }) => [reduce(x, axes as number[], Math.max, -Infinity)],
  ReduceMin: ([x], _, { axes }) => [reduce(x, axes as number[], Math.min, Infinity)],
};

/** How far apart neighbours along each axis lie. */
function stridesOf(shape: readonly number[]): number[] {
  return shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
}

const indices = (length: number): Float64Array => Float64Array.from({ length }, (_, i) => i);

/** A tensor of `shape` whose element at (i, j, ...) is data[offset + i * strides[0] + j * strides[1] + ...]. */
function view(
  data: Float64Array,
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): Float64Array {
  const places = stridesOf(shape);
  return Float64Array.from({ length: elementCount(shape) }, (_, i) =>
    places.reduce((at, place, axis) => at + (Math.floor(i / place) % shape[axis]) * strides[axis], offset),
  ).map((at) => data[at]);
}

/** Axes of size 1, and those that are missing in front, repeat. */
function broadcast({ shape, data }: Float64Tensor, to: readonly number[]): Float64Array {
  const missing = to.length - shape.length;
  const strides = stridesOf(shape);
  return view(
    data,
    to,
    to.map((_, axis) => (axis < missing || shape[axis - missing] === 1 ? 0 : strides[axis - missing])),
  );
}

/** Along `axes`, in the order of the elements. */
function reduce(
  { shape, data }: Float64Tensor,
  axes: readonly number[],
  combine: (a: number, b: number) => number,
  initial: number,
): Float64Array {
  const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const results = new Float64Array(elementCount(kept)).fill(initial);
  const places = broadcast({ shape: kept, data: indices(results.length) }, shape);
  data.forEach((value, i) => (results[places[i]] = combine(results[places[i]], value)));
  return results;
}
