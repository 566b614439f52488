/**
 * EnCodec's layers as a program over one piece of a sequence. What a piece needs of the ones before it (the last positions that
 * convolutions look back on, LSTM states) goes in and comes out, so that a sequence computed in pieces is the one computed at once.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import { conv1d, lstm, tf, type InputSpec } from '../../engine/index.js';
import { flatten, reach, type ConvLayer, type Layer, type LstmLayers, type UpsampleLayer } from './layers.js';

type Tensors = Readonly<Record<string, Tensor>>;

/** What comes before a layer's piece: `past` of a convolution, hidden and cell states of an LSTM. */
const pastOf = (name: string) => `${name}.past`;
const hiddenOf = (name: string, layer: number) => `${name}.${layer}.hidden`;
const cellOf = (name: string, layer: number) => `${name}.${layer}.cell`;
/** Which columns a convolution reads: see `columnsOf`. */
export const columnsName = (name: string) => `${name}.columns`;
/** Outputs are the next piece's inputs. */
export const nextOf = (input: string) => `next ${input}`;

/** Shapes of everything that is carried from piece to piece; zeros before the first one. */
export function carriedShapes(layers: readonly Layer[]): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  for (const layer of flatten(layers)) {
    if (layer.kind === 'conv' && reach(layer) > 0)
      shapes.set(pastOf(layer.name), [1, layer.inputs, reach(layer)]);
    if (layer.kind === 'upsample') shapes.set(pastOf(layer.name), [1, layer.inputs, 1]);
    if (layer.kind === 'lstm') {
      for (let i = 0; i < layer.layers; i++) {
        shapes.set(hiddenOf(layer.name, i), [1, 1, layer.width]);
        shapes.set(cellOf(layer.name, i), [1, 1, layer.width]);
      }
    }
  }
  return shapes;
}

/** Inputs of the program besides weights and the piece itself; `frames` as of {@link columnCount}. */
export function carriedInputs(
  layers: readonly Layer[],
  frames: number | undefined,
): Record<string, InputSpec> {
  const carried = [...carriedShapes(layers)].map(([name, shape]): [string, InputSpec] => [
    name,
    { shape, dtype: 'float32' },
  ]);
  const columns = paddedConvolutions(layers).map((layer): [string, InputSpec] => [
    columnsName(layer.name),
    { shape: [columnCount(layer, frames)], dtype: 'int32' },
  ]);
  return Object.fromEntries([...carried, ...columns]);
}

/** Convolutions that look at more than one position, and thus beyond the ends. */
export function paddedConvolutions(layers: readonly Layer[]): ConvLayer[] {
  return flatten(layers).filter((layer) => layer.kind === 'conv' && reach(layer) > 0) as ConvLayer[];
}

/**
 * Columns chosen for a convolution: the ones before the piece, and where its stride makes it look beyond the end of the sequence as well,
 * all of the piece.
 *
 * @param frames of a piece in which the sequence may end; undefined for one that is full
 */
export function columnCount(layer: ConvLayer, frames: number | undefined): number {
  return reach(layer) + (layer.stride > 1 && frames !== undefined ? frames * layer.inputsPerFrame : 0);
}

/** One piece [1, C, T] through the layers; adds what the next piece needs to `next`. */
export function runLayers(
  layers: readonly Layer[],
  x: Tensor,
  w: Tensors,
  next: Record<string, Tensor>,
): Tensor {
  return layers.reduce((value, layer) => runLayer(layer, value, w, next), x);
}

function runLayer(layer: Layer, x: Tensor, w: Tensors, next: Record<string, Tensor>): Tensor {
  switch (layer.kind) {
    case 'elu':
      return tf.elu(x);
    case 'conv':
      return convolve(layer, x, w, next);
    case 'upsample':
      return upsample(layer, x, w, next);
    case 'lstm':
      return remember(layer, x, w, next);
    case 'residual': {
      const shortcut = layer.shortcut ? convolve(layer.shortcut, x, w, next) : x;
      return tf.add(shortcut, runLayers(layer.block, x, w, next));
    }
  }
}

function convolve(layer: ConvLayer, x: Tensor, w: Tensors, next: Record<string, Tensor>): Tensor {
  const { name, inputs, stride, dilation } = layer;
  const back = reach(layer);
  let padded = x;
  if (back > 0) {
    const past = w[pastOf(name)];
    const time = x.shape[2]!;
    const zero = tf.zeros([1, inputs, 1]);
    const columns = w[columnsName(name)] as Tensor1D;
    const isBefore = columns.shape[0] === back;
    const head = isBefore ? tf.slice(x, [0, 0, 0], [1, inputs, back + 1]) : x;
    const chosen = tf.gather(tf.concat([zero, past, head], 2), columns, 2);
    padded = isBefore ? tf.concat([chosen, x], 2) : chosen;
    next[nextOf(pastOf(name))] = tf.slice(x, [0, 0, time - back], [1, inputs, back]);
  }
  return conv1d(padded, w[`${name}.weight`], w[`${name}.bias`], { stride, dilation });
}

/**
 * Output position t * stride + k comes of input t and, by the kernel's second half, of input t - 1: a convolution over two inputs with a
 * channel for each k, whose outputs then take turns. ONNX Runtime's ConvTranspose takes twice as long.
 */
function upsample(layer: UpsampleLayer, x: Tensor, w: Tensors, next: Record<string, Tensor>): Tensor {
  const { name, inputs, outputs, stride } = layer;
  const time = x.shape[2]!;
  const extended = tf.concat([w[pastOf(name)], x], 2);
  next[nextOf(pastOf(name))] = tf.slice(x, [0, 0, time - 1], [1, inputs, 1]);
  const turns = conv1d(extended, w[`${name}.weight`], w[`${name}.bias`]);
  const sorted = tf.transpose(tf.reshape(turns, [outputs, stride, time]), [0, 2, 1]);
  return tf.reshape(sorted, [1, outputs, time * stride]);
}

function remember(layer: LstmLayers, x: Tensor, w: Tensors, next: Record<string, Tensor>): Tensor {
  const { name, layers } = layer;
  let y = tf.transpose(x, [2, 0, 1]);
  for (let i = 0; i < layers; i++) {
    const [inputWeight, stateWeight, bias] = ['inputWeight', 'stateWeight', 'bias'].map(
      (part) => w[`${name}.${i}.${part}`],
    );
    const before = { hidden: w[hiddenOf(name, i)], cell: w[cellOf(name, i)] };
    const result = lstm(y, { inputWeight, stateWeight, bias }, before);
    next[nextOf(hiddenOf(name, i))] = result.state.hidden;
    next[nextOf(cellOf(name, i))] = result.state.cell;
    y = result.y;
  }
  return tf.add(tf.transpose(y, [1, 2, 0]), x);
}
