/**
 * The decoder network: quantized features at 50 Hz to log magnitudes of the short-time spectrum at 100 Hz. ConvNeXt blocks
 * (Liu et al. 2022) over time, as in Vocos (Siuzdak 2023), but for the magnitude alone: the phase is found afterwards.
 */
import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { gelu, layerNorm, tf } from '../../engine/index.js';
import { FEATURES, MEL_BANDS } from './features.js';

export interface DecoderConfig {
  width: number;
  /** ConvNeXt blocks before and after going from 50 to 100 Hz. */
  slowBlocks: number;
  fastBlocks: number;
  /** Frames a depthwise convolution sees; odd. */
  kernel: number;
  /** Width within a block, as a multiple of `width`. */
  expansion: number;
  /** Frequencies of the magnitude spectrum. */
  bins: number;
}

export const DECODER_DEFAULTS: DecoderConfig = {
  width: 192,
  slowBlocks: 2,
  fastBlocks: 4,
  kernel: 7,
  expansion: 3,
  bins: 321,
};

export type Weights = Readonly<Record<string, Tensor>>;

/** Numbers of one 100 Hz frame: its mel spectrum, ln F0 and voicing. */
const FRAME_FEATURES = FEATURES / 2;
/** Range of ln magnitude. */
const LOWEST = -12;
const HIGHEST = 7;

/** Every weight's name and shape. Matrices are [inputs, outputs]. */
export function decoderShapes(config: DecoderConfig): Map<string, number[]> {
  const { width, kernel, expansion, bins } = config;
  const linear = (name: string, inputs: number, outputs: number): [string, number[]][] => [
    [`${name}.weight`, [inputs, outputs]],
    [`${name}.bias`, [outputs]],
  ];
  const norm = (name: string): [string, number[]][] => [
    [`${name}.weight`, [width]],
    [`${name}.bias`, [width]],
  ];
  const block = (name: string): [string, number[]][] => [
    [`${name}.depthwise.weight`, [kernel, width]],
    [`${name}.depthwise.bias`, [width]],
    ...norm(`${name}.norm`),
    ...linear(`${name}.expand`, width, expansion * width),
    ...linear(`${name}.project`, expansion * width, width),
    [`${name}.scale`, [width]],
  ];
  return new Map([
    ...linear('input', FEATURES, width),
    ...norm('input_norm'),
    ...blockNames('slow', config.slowBlocks).flatMap(block),
    ...linear('upsample', width, 2 * width),
    ...linear('frame', FRAME_FEATURES, width),
    ...blockNames('fast', config.fastBlocks).flatMap(block),
    ...norm('output_norm'),
    ...linear('output', width, bins),
    ...linear('skip', FRAME_FEATURES, bins),
  ]);
}

/** features [batch, codes, FEATURES] to ln magnitudes [batch, 2 * codes, bins], within [-12, 7]. */
export function logMagnitudes(features: Tensor, weights: Weights, config: DecoderConfig): Tensor {
  const [batch, codes] = features.shape;
  const frames = splitFrames(features);
  let x = normed(linear(features, 'input', weights), 'input_norm', weights);
  for (const name of blockNames('slow', config.slowBlocks)) x = block(x, name, weights, config.kernel);
  x = tf.reshape(linear(x, 'upsample', weights), [batch, 2 * codes, config.width]);
  x = tf.add(x, linear(frames, 'frame', weights));
  for (const name of blockNames('fast', config.fastBlocks)) x = block(x, name, weights, config.kernel);
  const output = linear(normed(x, 'output_norm', weights), 'output', weights);
  return tf.clipByValue(tf.add(output, linear(frames, 'skip', weights)), LOWEST, HIGHEST);
}

const blockNames = (rate: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${rate}.${i}`);

/** Each code's two 100 Hz frames as rows of their own: [batch, codes, FEATURES] to [batch, 2 * codes, FEATURES / 2]. */
function splitFrames(features: Tensor): Tensor {
  const [batch, codes] = features.shape;
  const parts = tf.split(features, [2 * MEL_BANDS, 2, 2], 2);
  return tf.concat(
    parts.map((part) => tf.reshape(part, [batch, 2 * codes, part.shape[2]! / 2])),
    2,
  );
}

/** x + scale * project(gelu(expand(norm(depthwise(x))))) */
function block(x: Tensor, name: string, weights: Weights, kernel: number): Tensor {
  const inner = normed(depthwise(x, `${name}.depthwise`, weights, kernel), `${name}.norm`, weights);
  const update = linear(gelu(linear(inner, `${name}.expand`, weights)), `${name}.project`, weights);
  return tf.add(x, tf.mul(update, weights[`${name}.scale`]));
}

/** Convolution over time with a filter of its own for each channel, zeros around, as a sum of shifted products. */
function depthwise(x: Tensor, name: string, weights: Weights, kernel: number): Tensor {
  const [batch, frames, width] = x.shape;
  const reach = (kernel - 1) / 2;
  const padded = tf.pad(x, [[0, 0], [reach, reach], [0, 0]]); // prettier-ignore
  const taps = tf.unstack(weights[`${name}.weight`]);
  const products = taps.map((tap, k) => tf.mul(tf.slice(padded, [0, k, 0], [batch, frames, width]), tap));
  return tf.add(tf.addN(products), weights[`${name}.bias`]);
}

function linear(x: Tensor, name: string, weights: Weights): Tensor {
  const [batch, frames, inputs] = x.shape;
  const matrix = weights[`${name}.weight`] as Tensor2D;
  const rows = tf.reshape(x as Tensor3D, [batch * frames, inputs!]) as Tensor2D;
  return tf.reshape(tf.add(tf.matMul(rows, matrix), weights[`${name}.bias`]), [
    batch,
    frames,
    matrix.shape[1],
  ]);
}

const normed = (x: Tensor, name: string, weights: Weights): Tensor =>
  layerNorm(x, weights[`${name}.weight`] as ReturnType<typeof tf.tensor1d>, weights[`${name}.bias`]);
