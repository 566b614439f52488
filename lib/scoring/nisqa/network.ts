import { DYNAMIC } from '../../engine/graph.js';
import { writeOnnx } from '../../engine/onnx.js';
import { affine, createBuilder, layerNorm, linear, type Builder, type Weights } from '../onnx-builder.js';
import { convolution } from './convolution.js';
import { SEGMENT_FRAMES } from './features.js';
import { MEL_BANDS } from './frames.js';
import { lstmNetwork } from './lstm-network.js';

/** The outputs of NISQA v2.0, in its order. */
export const DIMENSIONS = ['mos', 'noi', 'dis', 'col', 'loud'] as const;

/** One of the networks that the authors published: how it is built. */
export interface NetworkShape {
  /** What lies between the segments and the scores: self-attention with a head for each score, or an LSTM. */
  sequence: 'attention' | 'lstm';
  /** What the weights of the heads are called. */
  heads: readonly string[];
}

const WIDTH = 64;
const CNN_OUTPUTS = 384;
const HEAD_HIDDEN = 128;

/**
 * A network of NISQA as an ONNX model, for any number of recordings at once.
 *
 * Inputs: `decibels` float32 [frames, 48], the spectrograms of all recordings one after the other; `starts` int32 [segments], the first
 * frame of every segment; `segments` int32 [recordings, longest], which segments make up each recording (padded with any); with
 * attention `mask` float32 [recordings, 1, longest], 0 for a segment and a large negative number for padding; with an LSTM `lengths` int32
 * [recordings], how many segments each has.
 * Output: `scores` float32 [recordings, heads].
 */
export function nisqaModel(weights: Weights, { sequence, heads }: NetworkShape): Uint8Array<ArrayBuffer> {
  const builder = createBuilder(weights);
  const starts = builder.node('Unsqueeze', ['starts', builder.ints([1])]);
  const offsets = builder.int32s(Array.from({ length: SEGMENT_FRAMES }, (_, i) => i));
  const frames = builder.node('Gather', ['decibels', builder.node('Add', [starts, offsets])], { axis: 0 });
  const images = builder.node('Unsqueeze', [frames, builder.ints([1])]);
  if (sequence === 'lstm') lstmNetwork(builder, images);
  else attentionNetwork(builder, images, heads);
  const shapes = { mask: [DYNAMIC, 1, DYNAMIC], lengths: [DYNAMIC] };
  return writeOnnx({
    ...builder.graph,
    inputs: [
      { name: 'decibels', shape: [DYNAMIC, MEL_BANDS], dtype: 'float32' },
      { name: 'starts', shape: [DYNAMIC], dtype: 'int32' },
      { name: 'segments', shape: [DYNAMIC, DYNAMIC], dtype: 'int32' },
      sequence === 'lstm'
        ? { name: 'lengths', shape: shapes.lengths, dtype: 'int32' }
        : { name: 'mask', shape: shapes.mask, dtype: 'float32' },
    ],
    outputs: [{ name: 'scores', shape: [DYNAMIC, heads.length], dtype: 'float32' }],
  });
}

function attentionNetwork(builder: Builder, images: string, heads: readonly string[]): void {
  const described = convolutions(builder, images);
  const sequences = builder.node('Gather', [described, 'segments'], { axis: 0 });
  const attended = selfAttention(builder, sequences);
  const scores = heads.map((head) => attentionPool(builder, attended, `${head}.model`));
  const joined = builder.node('Concat', scores, { axis: 2 });
  builder.node('Squeeze', [joined, builder.ints([1])], {}, 'scores');
}

/** Six convolutions over [segments, 1, 15 frames, 48 bands]; to [segments, 384]. */
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

/** Projects [recordings, segments, 384] to 64 and applies two post-norm transformer layers with one head and no positions. */
function selfAttention(builder: Builder, sequences: string): string {
  const prefix = 'time_dependency.model';
  let x = linear(builder, sequences, `${prefix}.linear`, CNN_OUTPUTS, WIDTH);
  x = layerNorm(builder, x, `${prefix}.norm1`, WIDTH);
  for (const layer of [`${prefix}.layers.0`, `${prefix}.layers.1`]) {
    const mixed = builder.node('Add', [x, attention(builder, x, `${layer}.self_attn`)]);
    x = layerNorm(builder, mixed, `${layer}.norm1`, WIDTH);
    const hidden = builder.node('Relu', [linear(builder, x, `${layer}.linear1`, WIDTH, WIDTH)]);
    const fed = builder.node('Add', [x, linear(builder, hidden, `${layer}.linear2`, WIDTH, WIDTH)]);
    x = layerNorm(builder, fed, `${layer}.norm2`, WIDTH);
  }
  return x;
}

function attention(builder: Builder, x: string, prefix: string): string {
  const names: [string, string] = [`${prefix}.in_proj_weight`, `${prefix}.in_proj_bias`];
  const projected = affine(builder, x, names, [WIDTH, 3 * WIDTH]);
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
