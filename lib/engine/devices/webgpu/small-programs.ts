/**
 * The small programs by which the worker does what ONNX Runtime's JavaScript offers no function for: make, fill, copy and cut GPU buffers,
 * and AdamW. All of them work on flat tensors of any size.
 */
import { DYNAMIC, type Constant, type Graph, type GraphNode, type Value } from '../../graph.js';
import { writeOnnx } from '../../onnx.js';
import { toOnnx } from '../../to-onnx.js';
import { tf } from '../../tf.js';

const flat = (name: string): Value => ({ name, shape: [DYNAMIC], dtype: 'float32' });
const one = (name: string, dtype: Value['dtype'] = 'float32'): Value => ({ name, shape: [1], dtype });
const node = (op: string, inputs: string[], outputs: string[]): GraphNode => ({
  op,
  domain: '',
  inputs,
  outputs,
  attributes: {},
});

function model(
  inputs: Value[],
  nodes: GraphNode[],
  output: string,
  constants: Constant[] = [],
): Uint8Array<ArrayBuffer> {
  const named = new Map(constants.map((constant) => [constant.name, constant]));
  const graph: Graph = { inputs, outputs: [flat(output)], nodes, constants: named, values: new Map() };
  return writeOnnx(graph);
}

/** size [1] (int64) to y [size], zeros. */
export const zerosModel = () =>
  model([one('size', 'int64')], [node('Expand', ['zero', 'size'], ['y'])], 'y', [
    { ...one('zero'), data: Float32Array.of(0) },
  ]);

/** x to y, as it is. */
export const copyModel = () => model([flat('x')], [node('Identity', ['x'], ['y'])], 'y');

/** x, start [1] and end [1] (int64) to y, the elements from start to end. */
export const partModel = () =>
  model(
    [flat('x'), one('start', 'int64'), one('end', 'int64')],
    [node('Slice', ['x', 'start', 'end'], ['y'])],
    'y',
  );

/**
 * For each i below `count`: x_i, part_i, start_i and end_i (int32, no axes) to y_i, which is x_i with part_i from start_i to end_i. Where
 * y_i is bound to the buffer of x_i, only these elements are written.
 */
export const placeModel = (count: number) => {
  const numbers = [...Array(count).keys()];
  const whole = (name: string): Value => ({ name, shape: [], dtype: 'int32' });
  const graph: Graph = {
    inputs: numbers.flatMap((i) => [
      flat(`x_${i}`),
      flat(`part_${i}`),
      whole(`start_${i}`),
      whole(`end_${i}`),
    ]),
    outputs: numbers.map((i) => flat(`y_${i}`)),
    nodes: numbers.flatMap((i) => [
      node('Range', [`start_${i}`, `end_${i}`, 'step'], [`places_${i}`]),
      node('ScatterElements', [`x_${i}`, `places_${i}`, `part_${i}`], [`y_${i}`]),
    ]),
    constants: new Map([['step', { ...whole('step'), data: Int32Array.of(1) }]]),
    values: new Map(),
  };
  return writeOnnx(graph);
};

/** x and y to their sum. */
export const addModel = () => model([flat('x'), flat('y')], [node('Add', ['x', 'y'], ['sum'])], 'sum');

/** The numbers of an update that AdamW's program is fed, each [1]. */
export const UPDATE_INPUTS = [
  ...['gradientScale', 'decay', 'oneMinusBeta1', 'beta2', 'oneMinusBeta2', 'root', 'epsilon', 'step'],
] as const;

/**
 * AdamW (Loshchilov & Hutter 2019) on one parameter: parameter, gradient, mean, square, and the numbers of `AdamWUpdate`, to newParameter,
 * newMean and newSquare; the same sums in the same order as the CPU's kernel.
 */
export const adamwModel = () => {
  const flatInput = { shape: [2], dtype: 'float32', growingAxis: 0 } as const;
  const numbers = UPDATE_INPUTS.map((name) => [name, { shape: [1], dtype: 'float32' }] as const);
  const source = {
    program: (w: Record<string, ReturnType<typeof tf.tensor>>) => {
      const gradient = tf.mul(w.gradient, w.gradientScale);
      const newMean = tf.add(w.mean, tf.mul(tf.sub(gradient, w.mean), w.oneMinusBeta1));
      const newSquare = tf.add(
        tf.mul(w.square, w.beta2),
        tf.mul(tf.mul(gradient, gradient), w.oneMinusBeta2),
      );
      const deviation = tf.add(tf.div(tf.sqrt(newSquare), w.root), w.epsilon);
      const newParameter = tf.sub(tf.mul(w.parameter, w.decay), tf.mul(tf.div(newMean, deviation), w.step));
      return { newParameter, newMean, newSquare };
    },
    inputs: {
      parameter: flatInput,
      gradient: flatInput,
      mean: flatInput,
      square: flatInput,
      ...Object.fromEntries(numbers),
    },
    constants: {},
  };
  return toOnnx(source).model;
};
