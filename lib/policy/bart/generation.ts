/**
 * The two programs of generation: the encoder with every layer's cross-attention keys and values, and one decoder step on a
 * growing cache. Weights are constants here, so that ONNX Runtime packs them once for the thin matrices of decoding.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  splitRows,
  tf,
  timeMajorMatMul,
  type InputSpec,
  type ProgramConstant,
  type ProgramSource,
} from '../../engine/index.js';
import {
  nextOf,
  type BatchSizes,
  type Generation,
  type HostWeights,
  type Rows,
  type Tensors,
} from '../architecture.js';
import { padIds } from '../padding.js';
import { valuesOf } from '../resident-weights.js';
import type { BartConfig } from './config.js';
import {
  decoderLayer,
  decoderLayerNumbers,
  embeddingScale,
  encodeTokens,
  keysAndValues,
  linear,
  norm,
} from './network.js';
import { LOGITS_BIAS, POSITION_OFFSET, SHARED_EMBEDDING } from './weights.js';

const crossKey = (layer: number) => `crossKey${layer}`;
const crossValue = (layer: number) => `crossValue${layer}`;
const cachedKey = (layer: number) => `cachedKey${layer}`;
const cachedValue = (layer: number) => `cachedValue${layer}`;

export const generation: Generation<BartConfig> = {
  startIds: (config) => [config.decoder_start_token_id],
  contextShapes,
  promptProgram,
  promptFeeds,
  cacheShapes: (config) =>
    forLayers(config, (layer) => [
      [cachedKey(layer), headShape(config)],
      [cachedValue(layer), headShape(config)],
    ]),
  stepProgram,
};

/** Keys and values of each decoder layer's cross-attention, [heads, S, D / heads]. */
export function contextShapes(config: BartConfig, promptLength: number): Record<string, readonly number[]> {
  const [heads, headWidth] = headShape(config);
  const shape = [heads, promptLength, headWidth];
  return forLayers(config, (layer) => [
    [crossKey(layer), shape],
    [crossValue(layer), shape],
  ]);
}

/** The encoder's states [P, S, D] to the context. */
export function contextOfStates(config: BartConfig, w: Tensors, encoded: Tensor): Record<string, Tensor> {
  return forLayers(config, (layer) => {
    const name = `model.decoder.layers.${layer}.encoder_attn`;
    const { keys, values } = keysAndValues(w, name, config.decoder_attention_heads, encoded);
    return [
      [crossKey(layer), keys],
      [crossValue(layer), values],
    ];
  });
}

/** A layer's keys and values of a context. */
export const contextOf = (context: (name: string) => Tensor, layer: number) => ({
  keys: context(crossKey(layer)),
  values: context(crossValue(layer)),
});

function promptProgram(
  config: BartConfig,
  weights: HostWeights,
  { prompts, promptLength }: BatchSizes,
): ProgramSource {
  const names = [...weights.keys()].filter(
    (name) => name.startsWith('model.encoder.') || /encoder_attn\.[kv]_proj/.test(name),
  );
  return {
    program: (w) => contextOfStates(config, w, encodeTokens(config, w, w.promptTokens, w.promptMask)),
    inputs: {
      promptTokens: { shape: [prompts, promptLength, config.d_model], dtype: 'float32' },
      promptMask: { shape: [prompts, promptLength], dtype: 'float32' },
    },
    constants: Object.fromEntries(names.map((name) => [name, lent(weights, name)])),
    // It has many rows, and is run once where a step is run for every token.
    packs: false,
  };
}

const lent = (weights: HostWeights, name: string): ProgramConstant => ({
  ...weights.get(name)!,
  memory: 'lent',
});

/** The ids are looked up here: the table is a third of a large model, and the program would hold a copy of it for a few hundred of its rows. */
function promptFeeds(config: BartConfig, weights: HostWeights, { promptLength }: BatchSizes, prompts: Rows) {
  const width = config.d_model;
  const table = valuesOf(weights, SHARED_EMBEDDING);
  const scale = Math.fround(embeddingScale(config));
  const ids = padIds(prompts, promptLength, config.pad_token_id);
  const promptTokens = new Float32Array(ids.length * width);
  ids.forEach((id, position) => {
    const vector = table.subarray(id * width, (id + 1) * width);
    promptTokens.set(scale === 1 ? vector : vector.map((value) => scale * value), position * width);
  });
  return { promptTokens };
}

function stepProgram(
  config: BartConfig,
  weights: HostWeights,
  sizes: BatchSizes,
  vocabulary: Int32Array,
): ProgramSource {
  const { prompts, samples, promptLength, completionLength } = sizes;
  const rows = prompts * samples;
  const [heads, headWidth] = headShape(config);
  const cache: InputSpec = {
    shape: [completionLength, rows * heads, headWidth],
    dtype: 'float32',
    growingAxis: 0,
    openAxes: [1],
  };
  const cross: InputSpec = {
    shape: [prompts, heads, promptLength, headWidth],
    dtype: 'float32',
    openAxes: [0, 2],
  };
  return {
    program: (w) => step(config, w),
    inputs: {
      ids: { shape: [rows], dtype: 'int32', openAxes: [0] },
      position: { shape: [1], dtype: 'int32' },
      cacheBias: { shape: [completionLength], dtype: 'float32', growingAxis: 0 },
      promptMask: { shape: [prompts, promptLength], dtype: 'float32', openAxes: [0, 1] },
      ...forLayers(config, (layer) => [
        [cachedKey(layer), cache],
        [cachedValue(layer), cache],
        [crossKey(layer), cross],
        [crossValue(layer), cross],
      ]),
    },
    constants: stepConstants(config, weights, vocabulary),
  };
}

/** For any number of prompts of any length, and any number of rows. */
function step(config: BartConfig, w: Tensors): Record<string, Tensor> {
  const [heads, headWidth] = headShape(config);
  const outputs: Record<string, Tensor> = {};
  const promptBias = tf.expandDims(tf.expandDims(w.promptMask, 1), 1);
  const tokens = tf.mul(tf.gather(w.vocabulary, w.ids), embeddingScale(config));

  /** Over the cache and the present position, whose key and value are outputs. */
  const attendSelf = (layer: number) => (name: string, x: Tensor) => {
    const projected = tf.reshape(linear(w, `${name}.qkv`, x), [-1, 1, 3 * headWidth]);
    const [query, k, v] = tf.split(projected, 3, -1);
    const past = tf.add(timeMajorMatMul(query, w[cachedKey(layer)], true), w.cacheBias);
    const present = tf.sum(tf.mul(query, k), -1, true);
    const shares = tf.softmax(tf.concat([present, past], -1));
    const presentShare = tf.slice(shares, [0, 0, 0], [-1, -1, 1]);
    const pastShares = tf.slice(shares, [0, 0, 1]);
    const mixed = tf.add(timeMajorMatMul(pastShares, w[cachedValue(layer)], false), tf.mul(presentShare, v));
    outputs[nextOf(cachedKey(layer))] = k;
    outputs[nextOf(cachedValue(layer))] = v;
    return tf.reshape(mixed, [-1, config.d_model]);
  };

  /** Over the prompt's keys and values, which its samples share. */
  const attendCross = (layer: number) => (name: string, x: Tensor) => {
    const queries = splitRows(linear(w, `${name}.q_proj`, x), w.promptMask, [heads, headWidth]);
    const query = tf.transpose(queries, [0, 2, 1, 3]);
    const { keys, values } = contextOf((key) => w[key], layer);
    const shares = tf.softmax(tf.add(tf.matMul(query, keys, false, true), promptBias));
    const crossed = tf.transpose(tf.matMul(shares, values), [0, 2, 1, 3]);
    return tf.reshape(crossed, [-1, config.d_model]);
  };

  let x = norm(w, 'model.decoder.layernorm_embedding', tf.add(tokens, tf.gather(w.positions, w.position)));
  for (const layer of decoderLayerNumbers(config))
    x = decoderLayer(w, layer, x, { self: attendSelf(layer), cross: attendCross(layer) });
  outputs.logits = tf.fused.matMul({
    a: x as Tensor & { rank: 2 },
    b: w.vocabulary,
    transposeB: true,
    bias: w.vocabularyBias,
  });
  return outputs;
}

/**
 * The decoder's weights, with each head's query, key and value projections side by side and the queries' scaled as attention would scale
 * them, and the vocabulary's rows of the tied embedding.
 */
function stepConstants(
  config: BartConfig,
  weights: HostWeights,
  vocabulary: Int32Array,
): ProgramSource['constants'] {
  const width = config.d_model;
  const constants: Record<string, ProgramConstant> = {};
  for (const name of weights.keys()) {
    const unused = /self_attn\.[qkv]_proj|encoder_attn\.[kv]_proj|embed_positions/.test(name);
    if (name.startsWith('model.decoder.') && !unused) constants[name] = lent(weights, name);
  }
  const [heads, headWidth] = headShape(config);
  const scale = 1 / Math.sqrt(headWidth);
  const scaled = (data: Float32Array) => data.map((value) => value * scale);
  for (const layer of decoderLayerNumbers(config)) {
    const prefix = `model.decoder.layers.${layer}`;
    for (const part of ['weight', 'bias'] as const) {
      const crossQuery = `${prefix}.encoder_attn.q_proj.${part}`;
      const { shape, data: unscaled } = weights.get(crossQuery)!;
      constants[crossQuery] = { shape, data: scaled(unscaled), memory: 'given' };
      const [q, k, v] = ['q', 'k', 'v'].map((letter) =>
        valuesOf(weights, `${prefix}.self_attn.${letter}_proj.${part}`),
      );
      constants[`${prefix}.self_attn.qkv.${part}`] = {
        shape: part === 'weight' ? [3 * width, width] : [3 * width],
        data: headByHead([scaled(q), k, v], heads),
        memory: 'given',
      };
    }
  }
  const positions = weights
    .get('model.decoder.embed_positions.weight')!
    .data.subarray(POSITION_OFFSET * width);
  const embedding = weights.get(SHARED_EMBEDDING)!.data;
  const bias = weights.get(LOGITS_BIAS)!.data;
  const table = new Float32Array(vocabulary.length * width);
  vocabulary.forEach((id, i) => {
    table.set(embedding.subarray(id * width, (id + 1) * width), i * width);
  });
  return {
    ...constants,
    positions: { shape: [config.max_position_embeddings, width], data: positions },
    vocabulary: { shape: [vocabulary.length, width], data: table, memory: 'given' },
    vocabularyBias: { shape: [vocabulary.length], data: Float32Array.from(vocabulary, (id) => bias[id]) },
  };
}

/** Arrays of one length as one: the first head's part of each array, then the second head's, ... */
function headByHead(arrays: readonly Float32Array[], heads: number): Float32Array {
  const [{ length }] = arrays;
  const size = length / heads;
  const joined = new Float32Array(arrays.length * length);
  arrays.forEach((values, i) => {
    for (let head = 0; head < heads; head++)
      joined.set(values.subarray(head * size, (head + 1) * size), (arrays.length * head + i) * size);
  });
  return joined;
}

/** Heads of the decoder, and the width of each. */
function headShape({ d_model, decoder_attention_heads: heads }: BartConfig): readonly [number, number] {
  return [heads, d_model / heads];
}

/** What each decoder layer has, by name, layer after layer. */
function forLayers<T>(config: BartConfig, of: (layer: number) => [string, T][]): Record<string, T> {
  return Object.fromEntries(decoderLayerNumbers(config).flatMap(of));
}
