import { DYNAMIC, type Attribute, type Graph } from '../../engine/graph.js';
import { writeOnnx } from '../../engine/onnx.js';
import { SEGMENT_FRAMES } from './features.js';
import { MEL_BANDS } from './frames.js';
import type { Weights } from './weights.js';

/** The network's outputs, in its order. */
export const DIMENSIONS = ['mos', 'noi', 'dis', 'col', 'loud'] as const;

const WIDTH = 64;
const CNN_OUTPUTS = 384;
const HEAD_HIDDEN = 128;
const EPSILON = 1e-5;

/**
 * NISQA v2.0 as an ONNX model, for any number of recordings at once.
 *
 * Inputs: `decibels` float32 [frames, 48], the spectrograms of all recordings one after the other; `starts` int32 [segments], the first
 * frame of every segment; `segments` int32 [recordings, longest], which segments make up each recording (padded with any);
 * `mask` float32 [recordings, 1, longest], 0 for a segment and a large negative number for padding.
 * Output: `scores` float32 [recordings, 5].
 */
export function nisqaModel(weights: Weights): Uint8Array<ArrayBuffer> {
  const builder = createBuilder(weights);
  const starts = builder.node('Unsqueeze', ['starts', builder.ints([1])]);
  const offsets = builder.int32s(Array.from({ length: SEGMENT_FRAMES }, (_, i) => i));
  const images = builder.node('Gather', ['decibels', builder.node('Add', [starts, offsets])], { axis: 0 });
  const described = convolutions(builder, builder.node('Unsqueeze', [images, builder.ints([1])]));
  const sequences = builder.node('Gather', [described, 'segments'], { axis: 0 });
  const attended = selfAttention(builder, sequences);
  const scores = DIMENSIONS.map((_, head) => attentionPool(builder, attended, `pool_layers.${head}.model`));
  const joined = builder.node('Concat', scores, { axis: 2 });
  builder.node('Squeeze', [joined, builder.ints([1])], {}, 'scores');
  return writeOnnx({
    ...builder.graph,
    inputs: [
      { name: 'decibels', shape: [DYNAMIC, MEL_BANDS], dtype: 'float32' },
      { name: 'starts', shape: [DYNAMIC], dtype: 'int32' },
      { name: 'segments', shape: [DYNAMIC, DYNAMIC], dtype: 'int32' },
      { name: 'mask', shape: [DYNAMIC, 1, DYNAMIC], dtype: 'float32' },
    ],
    outputs: [{ name: 'scores', shape: [DYNAMIC, DIMENSIONS.length], dtype: 'float32' }],
  });
}

/**
 * Six convolutions over [segments, 1, 15 frames, 48 bands], each with batch normalisation (folded into its weights) and ReLU; to
 * [segments, 384]. The authors' images are [48, 15]: ONNX Runtime is faster where the last axis is the long one.
 */
function convolutions(builder: Builder, images: string): string {
  const pool = (input: string, kernel: number[], strides: number[]) =>
    builder.node('MaxPool', [input], { kernel_shape: kernel, strides });
  // PyTorch's adaptive pooling has windows of two and three frames: all windows of two, then the largest of some neighbours.
  const poolFrames = (input: string, neighbours: [number, number][]) => {
    const pairs = pool(input, [2, 2], [1, 2]);
    const parts = neighbours.map(([start, end]) =>
      builder.node('Slice', [pairs, builder.ints([start]), builder.ints([end]), builder.ints([2])]),
    );
    parts[1] = pool(parts[1], [2, 1], [1, 1]);
    return builder.node('Concat', parts, { axis: 2 });
  };
  let x = pool(convolution(builder, images, 1, 1, 16), [3, 2], [2, 2]);
  x = convolution(builder, x, 2, 16, 32);
  // Frames [0, 2) [1, 3) [2, 5) [4, 6) [5, 7).
  x = poolFrames(x, [[0, 2], [2, 4], [4, 6]]); // prettier-ignore
  x = convolution(builder, convolution(builder, x, 3, 32, 64), 4, 64, 64);
  // Frames [0, 2) [1, 4) [3, 5).
  x = poolFrames(x, [[0, 1], [1, 3], [3, 4]]); // prettier-ignore
  x = convolution(builder, x, 5, 64, 64);
  x = convolution(builder, x, 6, 64, 64, [0, 1, 0, 1]);
  return builder.node('Flatten', [x], { axis: 1 });
}

function convolution(
  builder: Builder,
  x: string,
  layer: number,
  inputs: number,
  outputs: number,
  pads = [1, 1, 1, 1],
): string {
  const { weights } = builder;
  const [conv, norm] = [`cnn.model.conv${layer}`, `cnn.model.bn${layer}`];
  const variance = weights(`${norm}.running_var`, [outputs]);
  const mean = weights(`${norm}.running_mean`, [outputs]);
  const gain = weights(`${norm}.weight`, [outputs]).map(
    (value, i) => value / Math.sqrt(variance[i] + EPSILON),
  );
  const byBand = weights(`${conv}.weight`, [outputs, inputs, 3, 3]);
  const kernel = byBand.map((_, i) => {
    const [start, band, frame] = [i - (i % 9), i % 3, Math.floor((i % 9) / 3)];
    return byBand[start + 3 * band + frame] * gain[Math.floor(i / (inputs * 9))];
  });
  const shift = weights(`${norm}.bias`, [outputs]);
  const bias = weights(`${conv}.bias`, [outputs]).map((value, i) => (value - mean[i]) * gain[i] + shift[i]);
  const parameters = [builder.floats(kernel, [outputs, inputs, 3, 3]), builder.floats(bias, [outputs])];
  return builder.node('Relu', [builder.node('Conv', [x, ...parameters], { kernel_shape: [3, 3], pads })]);
}

/** Projects [recordings, segments, 384] to 64 and applies two post-norm transformer layers with one head and no positions. */
function selfAttention(builder: Builder, sequences: string): string {
  const prefix = 'time_dependency.model';
  let x = linear(builder, sequences, `${prefix}.linear`, CNN_OUTPUTS, WIDTH);
  x = layerNorm(builder, x, `${prefix}.norm1`);
  for (const layer of [`${prefix}.layers.0`, `${prefix}.layers.1`]) {
    x = layerNorm(
      builder,
      builder.node('Add', [x, attention(builder, x, `${layer}.self_attn`)]),
      `${layer}.norm1`,
    );
    const hidden = builder.node('Relu', [linear(builder, x, `${layer}.linear1`, WIDTH, WIDTH)]);
    x = layerNorm(
      builder,
      builder.node('Add', [x, linear(builder, hidden, `${layer}.linear2`, WIDTH, WIDTH)]),
      `${layer}.norm2`,
    );
  }
  return x;
}

function attention(builder: Builder, x: string, prefix: string): string {
  const projected = affine(
    builder,
    x,
    `${prefix}.in_proj_weight`,
    `${prefix}.in_proj_bias`,
    WIDTH,
    3 * WIDTH,
  );
  const part = (index: number) => {
    const [start, end] = [builder.ints([index * WIDTH]), builder.ints([(index + 1) * WIDTH])];
    return builder.node('Slice', [projected, start, end, builder.ints([2])]);
  };
  const query = builder.node('Mul', [part(0), builder.floats(Float32Array.of(1 / Math.sqrt(WIDTH)), [])]);
  const key = builder.node('Transpose', [part(1)], { perm: [0, 2, 1] });
  const affinity = builder.node('Add', [builder.node('MatMul', [query, key]), 'mask']);
  const mixed = builder.node('MatMul', [builder.node('Softmax', [affinity], { axis: 2 }), part(2)]);
  return linear(builder, mixed, `${prefix}.out_proj`, WIDTH, WIDTH);
}

/** A learned weighted mean over segments and a linear layer: [recordings, segments, 64] to [recordings, 1, 1]. */
function attentionPool(builder: Builder, x: string, prefix: string): string {
  const hidden = builder.node('Relu', [linear(builder, x, `${prefix}.linear1`, WIDTH, HEAD_HIDDEN)]);
  const logits = builder.node('Transpose', [linear(builder, hidden, `${prefix}.linear2`, HEAD_HIDDEN, 1)], {
    perm: [0, 2, 1],
  });
  const shares = builder.node('Softmax', [builder.node('Add', [logits, 'mask'])], { axis: 2 });
  return linear(builder, builder.node('MatMul', [shares, x]), `${prefix}.linear3`, WIDTH, 1);
}

function linear(builder: Builder, x: string, prefix: string, inputs: number, outputs: number): string {
  return affine(builder, x, `${prefix}.weight`, `${prefix}.bias`, inputs, outputs);
}

/** x W^T + b, with W [outputs, inputs] as PyTorch keeps it. */
function affine(
  builder: Builder,
  x: string,
  weight: string,
  bias: string,
  inputs: number,
  outputs: number,
): string {
  const source = builder.weights(weight, [outputs, inputs]);
  const transposed = Float32Array.from(
    source,
    (_, i) => source[(i % outputs) * inputs + Math.floor(i / outputs)],
  );
  const product = builder.node('MatMul', [x, builder.floats(transposed, [inputs, outputs])]);
  return builder.node('Add', [product, builder.floats(builder.weights(bias, [outputs]), [outputs])]);
}

function layerNorm(builder: Builder, x: string, prefix: string): string {
  const parameters = [`${prefix}.weight`, `${prefix}.bias`].map((name) =>
    builder.floats(builder.weights(name, [WIDTH]), [WIDTH]),
  );
  return builder.node('LayerNormalization', [x, ...parameters], { axis: -1, epsilon: { float: EPSILON } });
}

type Builder = ReturnType<typeof createBuilder>;

function createBuilder(weights: Weights) {
  const graph: Graph = { inputs: [], outputs: [], nodes: [], constants: new Map(), values: new Map() };
  const constant = (
    data: Float32Array | Int32Array | BigInt64Array,
    dtype: 'float32' | 'int32' | 'int64',
    shape: readonly number[],
  ) => {
    const name = `constant${graph.constants.size}`;
    graph.constants.set(name, { name, shape, dtype, data });
    return name;
  };
  return {
    graph,
    weights,
    /** Appends an operator with one output, whose name is returned. */
    node(
      op: string,
      inputs: string[],
      attributes: Record<string, Attribute> = {},
      output = `${op}${graph.nodes.length}`,
    ): string {
      graph.nodes.push({ op, domain: '', inputs, outputs: [output], attributes });
      return output;
    },
    floats: (data: Float32Array, shape: readonly number[]) => constant(data, 'float32', shape),
    int32s: (values: number[]) => constant(Int32Array.from(values), 'int32', [values.length]),
    /** A constant of int64, the type of ONNX's axes and positions. */
    ints: (values: number[]) => constant(BigInt64Array.from(values, BigInt), 'int64', [values.length]),
  };
}
