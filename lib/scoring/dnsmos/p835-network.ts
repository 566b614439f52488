/** DNSMOS's P.835 network as two ONNX models: what each frame of a recording is alone, and what a window of frames is. */
import { DYNAMIC } from '../../engine/graph.js';
import { writeOnnx } from '../../engine/onnx.js';
import { createBuilder, type Builder, type Weights } from '../onnx-builder.js';
import { FRAME_SAMPLES, WINDOW_FRAMES } from './windows.js';

const BINS = FRAME_SAMPLES / 2 + 1;
const MIN_POWER = 1e-12;
/** Input and output channels of its 3 x 3 convolutions: four on frames, then one after each halving of time and frequency. */
const CONVOLUTIONS = [
  [1, 128],
  [128, 64],
  [64, 64],
  [64, 32],
  [32, 32],
  [32, 32],
  [32, 64],
] as const;
const FRAME_CONVOLUTIONS = 4;
/** Frames on each side that a frame's row depends on. */
export const REACH = FRAME_CONVOLUTIONS;
const ROW_CHANNELS = 32;
const ROW_BINS = Math.floor(BINS / 2);
export const ROW_SHAPE = [ROW_CHANNELS, ROW_BINS] as const;
/** Numbers of a frame's row. */
export const ROW_SIZE = ROW_CHANNELS * ROW_BINS;
export const PAIRS = WINDOW_FRAMES / 2;
export const RATINGS = 3;

/**
 * What the network makes of frames before it joins two of them: the logarithm of their power spectrum, four convolutions, and the larger of
 * each two frequencies. Most of the network's work.
 *
 * Input: `frames` float32 [pieces, frames, 320]; output: `rows` float32 [pieces, frames, 32, 80]. Beyond a piece are zeros, as beyond a window:
 * the first and last {@link REACH} rows of a piece are those of a window only where the window begins and ends there.
 */
export function rowsModel(weights: Weights): Uint8Array<ArrayBuffer> {
  const builder = createBuilder(weights);
  const { node, floats, ints } = builder;
  const spectrum = (part: string) => {
    const kernel = weights(`time2freq/stft-${part}/kernel:0`, [BINS, FRAME_SAMPLES, 1]);
    const basis = Float32Array.from(
      kernel,
      (_, i) => kernel[(i % BINS) * FRAME_SAMPLES + Math.floor(i / BINS)],
    );
    return node('MatMul', ['frames', floats(basis, [FRAME_SAMPLES, BINS])]);
  };
  const squares = ['real', 'imag'].map(spectrum).map((part) => node('Mul', [part, part]));
  const magnitude = node('Sqrt', [node('Add', squares)]);
  const power = node('Max', [floats(Float32Array.of(MIN_POWER), []), node('Mul', [magnitude, magnitude])]);
  const level = node('Div', [node('Log', [power]), floats(Float32Array.of(Math.LN10), [])]);
  let x = node('Unsqueeze', [level, ints([1])]);
  for (let layer = 0; layer < FRAME_CONVOLUTIONS; layer++) x = convolution(builder, x, layer);
  x = node('MaxPool', [x], { kernel_shape: [1, 2], strides: [1, 2] });
  node('Transpose', [x], { perm: [0, 2, 1, 3] }, 'rows');
  return writeOnnx({
    ...builder.graph,
    inputs: [{ name: 'frames', shape: [DYNAMIC, DYNAMIC, FRAME_SAMPLES], dtype: 'float32' }],
    outputs: [{ name: 'rows', shape: [DYNAMIC, DYNAMIC, ...ROW_SHAPE], dtype: 'float32' }],
  });
}

/**
 * The rest of the network: three more convolutions, each after the larger of two neighbours is taken, the largest value of each channel, and
 * three linear layers.
 *
 * Inputs: `rows` float32 [rows, 32, 80]; `first` and `second` int32 [windows, 450], the rows of each window's even and odd frames.
 * Output: `ratings` float32 [windows, 3]: speech, background, overall, before their polynomials.
 */
export function windowsModel(weights: Weights): Uint8Array<ArrayBuffer> {
  const builder = createBuilder(weights);
  const { node } = builder;
  const halves = ['first', 'second'].map((half) => node('Gather', ['rows', half], { axis: 0 }));
  let x = node('Transpose', [node('Max', halves)], { perm: [0, 2, 1, 3] });
  for (let layer = FRAME_CONVOLUTIONS; layer < CONVOLUTIONS.length; layer++) {
    if (layer > FRAME_CONVOLUTIONS) x = node('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] });
    x = convolution(builder, x, layer);
  }
  x = node('ReduceMax', [x], { axes: [2, 3], keepdims: 0 });
  x = node('Relu', [dense(builder, x, 'dense', 64, 128)]);
  x = node('Relu', [dense(builder, x, 'dense_1', 128, 64)]);
  dense(builder, x, 'dense_3', 64, RATINGS, 'ratings');
  return writeOnnx({
    ...builder.graph,
    inputs: [
      { name: 'rows', shape: [DYNAMIC, ...ROW_SHAPE], dtype: 'float32' },
      { name: 'first', shape: [DYNAMIC, PAIRS], dtype: 'int32' },
      { name: 'second', shape: [DYNAMIC, PAIRS], dtype: 'int32' },
    ],
    outputs: [{ name: 'ratings', shape: [DYNAMIC, RATINGS], dtype: 'float32' }],
  });
}

function convolution({ node, floats, weights }: Builder, x: string, layer: number): string {
  const [inputs, outputs] = CONVOLUTIONS[layer];
  const name = layer === 0 ? 'conv2d' : `conv2d_${layer}`;
  const kernel = floats(weights(`${name}/kernel:0`, [outputs, inputs, 3, 3]), [outputs, inputs, 3, 3]);
  const bias = floats(weights(`${name}/bias:0`, [outputs]), [outputs]);
  return node('Relu', [node('Conv', [x, kernel, bias], { pads: [1, 1, 1, 1] })]);
}

function dense(
  { node, floats, weights }: Builder,
  x: string,
  name: string,
  inputs: number,
  outputs: number,
  output?: string,
): string {
  const parameter = (part: string, shape: number[]) =>
    floats(weights(`mos_estimator_logpow/${name}/${part}/ReadVariableOp/resource:0`, shape), shape);
  const product = node('MatMul', [x, parameter('MatMul', [inputs, outputs])]);
  return node('Add', [product, parameter('BiasAdd', [outputs])], {}, output);
}
