/**
 * Convolution over time and the LSTM as single operators: one ONNX node each where a program is compiled, the plain formula where it
 * runs eagerly. Layouts and weights are PyTorch's: signals [batch, channels, time]. No gradients.
 */
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import { defineKernel, isTracing } from './trace.js';
import { tf } from './tf.js';

const CONV1D = 'SpeechConv1d';
const LSTM = 'SpeechLstm';

defineKernel(CONV1D, (trace, { x, weight, bias }, attributes) => {
  const { stride, dilation } = attributes as { stride: number; dilation: number };
  const [outputs, , kernel] = weight.shape;
  const time = Math.floor((x.shape[2] - (kernel - 1) * dilation - 1) / stride) + 1;
  return trace.emit('Conv', [x, weight, bias], [x.shape[0], outputs, time], 'float32', {
    kernel_shape: [kernel],
    strides: [stride],
    dilations: [dilation],
  });
});

defineKernel(LSTM, (trace, { x, inputWeight, stateWeight, bias, hidden, cell }) => {
  const [time, batch] = x.shape;
  const units = stateWeight.shape[2];
  const NO_LENGTHS = '';
  return trace.emitAll(
    'LSTM',
    [x, inputWeight, stateWeight, bias, NO_LENGTHS, hidden, cell],
    [
      [time, 1, batch, units],
      [1, batch, units],
      [1, batch, units],
    ].map((shape) => ({ shape, dtype: 'float32' as const })),
    { hidden_size: units },
  );
});

/** Cross-correlation without padding: x [B, C, T], weight [O, C, K], bias [O] to [B, O, floor((T - (K-1) dilation - 1) / stride) + 1]. */
export function conv1d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  { stride = 1, dilation = 1 }: { stride?: number; dilation?: number } = {},
): Tensor {
  if (isTracing()) return tf.engine().runKernel(CONV1D, { x, weight, bias }, { stride, dilation });
  const filter = tf.transpose(weight as Tensor3D, [2, 1, 0]);
  const product = tf.conv1d(timeFirst(x), filter, stride, 'valid', 'NWC', dilation);
  return tf.transpose(tf.add(product, bias), [0, 2, 1]);
}

export interface LstmWeights {
  /** [1, 4H, inputs], gates in ONNX's order: input, output, forget, cell. */
  inputWeight: Tensor;
  /** [1, 4H, H] */
  stateWeight: Tensor;
  /** [1, 8H]: of the inputs, then of the state. */
  bias: Tensor;
}

/** Values carried from one piece of a sequence to the next, each [1, B, H]. */
export interface LstmState {
  hidden: Tensor;
  cell: Tensor;
}

/** One layer of long short-term memory (Hochreiter & Schmidhuber 1997, with forget gates): x [T, B, inputs] to [T, B, H]. */
export function lstm(x: Tensor, weights: LstmWeights, state: LstmState): { y: Tensor; state: LstmState } {
  const [time, batch] = x.shape as [number, number];
  const units = weights.stateWeight.shape[2]!;
  if (!isTracing()) return lstmSteps(x, weights, state);
  const inputs = { x, ...weights, ...state };
  const [y, hidden, cell] = tf.engine().runKernel(LSTM, inputs) as unknown as Tensor[];
  return { y: tf.reshape(y, [time, batch, units]), state: { hidden, cell } };
}

function lstmSteps(x: Tensor, { inputWeight, stateWeight, bias }: LstmWeights, state: LstmState) {
  const [w, r] = [inputWeight, stateWeight].map((weight) => tf.squeeze(weight, [0]));
  const shift = tf.addN(tf.split(tf.squeeze(bias, [0]), 2));
  let [hidden, cell] = [state.hidden, state.cell].map((value) => tf.squeeze(value, [0]));
  const outputs = tf.unstack(x).map((frame) => {
    const gates = tf.add(tf.add(tf.matMul(frame, w, false, true), tf.matMul(hidden, r, false, true)), shift);
    const [input, output, forget, candidate] = tf.split(gates, 4, 1);
    cell = tf.add(tf.mul(tf.sigmoid(forget), cell), tf.mul(tf.sigmoid(input), tf.tanh(candidate)));
    hidden = tf.mul(tf.sigmoid(output), tf.tanh(cell));
    return hidden;
  });
  return {
    y: tf.stack(outputs),
    state: { hidden: tf.expandDims(hidden, 0), cell: tf.expandDims(cell, 0) },
  };
}

/**
 * An LSTM's weights or biases with the four blocks of rows in ONNX's order (input, output, forget, cell), from PyTorch's (input, forget, cell,
 * output).
 *
 * @param blockSize numbers of one block
 */
export function gatesOfTorch(values: Float32Array, blockSize: number): Float32Array {
  const reordered = new Float32Array(values.length);
  [0, 3, 1, 2].forEach((from, to) => {
    reordered.set(values.subarray(from * blockSize, (from + 1) * blockSize), to * blockSize);
  });
  return reordered;
}

const timeFirst = (x: Tensor): Tensor3D => tf.transpose(x as Tensor3D, [0, 2, 1]);
