/**
 * The two programs of generation: the encoder with every layer's cross-attention keys and values, and one decoder step on a
 * growing cache. Weights are constants here, so that ONNX Runtime packs them once for the thin matrices of decoding.
 */
import type { Tensor } from '@tensorflow/tfjs';
import type { BartConfig } from '../checkpoint/bart-config.js';
import { LOGITS_BIAS, POSITION_OFFSET, SHARED_EMBEDDING } from '../checkpoint/bart-weights.js';
import type { HostTensor } from '../engine/host-tensor.js';
import {
  compile,
  gelu,
  tf,
  timeMajorMatMul,
  type Compiled,
  type Device,
  type InputSpec,
} from '../engine/index.js';
import { encode, keysAndValues, linear, norm, type Weights } from './bart.js';
import { weightSpecs } from './resident-weights.js';

type HostWeights = ReadonlyMap<string, HostTensor>;
type Constants = Record<string, { shape: readonly number[]; data: Float32Array }>;

/** Sizes of one batch: P prompts with N samples each, S source positions, at most C cached target positions. */
export interface StepShape {
  prompts: number;
  samples: number;
  sourceLength: number;
  cacheLength: number;
}

export const crossKey = (layer: number) => `crossKey${layer}`;
export const crossValue = (layer: number) => `crossValue${layer}`;
export const cachedKey = (layer: number) => `cachedKey${layer}`;
export const cachedValue = (layer: number) => `cachedValue${layer}`;
export const newKey = (layer: number) => `newKey${layer}`;
export const newValue = (layer: number) => `newValue${layer}`;

/**
 * promptIds, promptMask [P, S] to crossKey and crossValue of every decoder layer, [P, heads, S, D / heads].
 *
 * @param idsPerPosition K where promptIds is [P, S, K] (`embed` says what that means); default: [P, S]
 * @param feedsWeights all weights are inputs (`weightSpecs`), so that several programs can share them; default: constants
 */
export function compileEncoder(
  config: BartConfig,
  weights: HostWeights,
  { prompts, sourceLength }: Pick<StepShape, 'prompts' | 'sourceLength'>,
  device: Device,
  { idsPerPosition, feedsWeights = false }: { idsPerPosition?: number; feedsWeights?: boolean } = {},
): Promise<Compiled> {
  const names = [...weights.keys()].filter(
    (name) =>
      name === SHARED_EMBEDDING || name.startsWith('model.encoder.') || /encoder_attn\.[kv]_proj/.test(name),
  );
  const idsShape = [prompts, sourceLength, ...(idsPerPosition === undefined ? [] : [idsPerPosition])];
  return compile(
    (w) => {
      const encoded = encode(config, w, w.promptIds, w.promptMask);
      return Object.fromEntries(
        layers(config).flatMap((layer) => {
          const name = `model.decoder.layers.${layer}.encoder_attn`;
          const { keys, values } = keysAndValues(w, name, config.decoder_attention_heads, encoded);
          return [
            [crossKey(layer), keys],
            [crossValue(layer), values],
          ];
        }),
      );
    },
    {
      promptIds: { shape: idsShape, dtype: 'int32' },
      promptMask: { shape: [prompts, sourceLength], dtype: 'float32' },
      ...(feedsWeights ? weightSpecs(weights) : {}),
    },
    {
      device,
      constants: feedsWeights ? {} : Object.fromEntries(names.map((name) => [name, constant(weights, name)])),
    },
  );
}

/**
 * One step: ids [R] (rows of `vocabulary`), position [1] and the cache to logits [R, vocabulary] and this position's keys and
 * values [R * heads, 1, D / heads] of every layer. The cache is time-major, [T, R * heads, D / heads] with 1 <= T <= C: it grows at
 * its end, so the caller lets the outputs be written there, feeds one row more at the next step, and nothing is copied.
 * ONNX Runtime cannot multiply by an empty cache: the first step is fed one row and `cacheBias` [1] = MASKED, later ones 0.
 * @param vocabulary the ids that may be read or written; the output head has only their rows
 */
export function compileStep(
  config: BartConfig,
  weights: HostWeights,
  shape: StepShape,
  vocabulary: Int32Array,
  device: Device,
): Promise<Compiled> {
  const { prompts, samples, sourceLength, cacheLength } = shape;
  const rows = prompts * samples;
  const heads = config.decoder_attention_heads;
  const headWidth = config.d_model / heads;
  const cache: InputSpec = {
    shape: [cacheLength, rows * heads, headWidth],
    dtype: 'float32',
    growingAxis: 0,
  };
  const cross: InputSpec = { shape: [prompts, heads, sourceLength, headWidth], dtype: 'float32' };
  const perLayer = layers(config).flatMap((layer) => [
    [cachedKey(layer), cache],
    [cachedValue(layer), cache],
    [crossKey(layer), cross],
    [crossValue(layer), cross],
  ]);
  return compile(
    (w) => step(config, w, shape),
    {
      ids: { shape: [rows], dtype: 'int32' },
      position: { shape: [1], dtype: 'int32' },
      cacheBias: { shape: [1], dtype: 'float32' },
      promptMask: { shape: [prompts, sourceLength], dtype: 'float32' },
      ...Object.fromEntries(perLayer),
    },
    { device, constants: stepConstants(config, weights, vocabulary) },
  );
}

function step(
  config: BartConfig,
  w: Record<string, Tensor>,
  { prompts, samples, sourceLength }: StepShape,
): Record<string, Tensor> {
  const rows = prompts * samples;
  const heads = config.decoder_attention_heads;
  const headWidth = config.d_model / heads;
  const scale = 1 / Math.sqrt(headWidth);
  const outputs: Record<string, Tensor> = {};
  const promptBias = tf.reshape(w.promptMask, [prompts, 1, 1, sourceLength]);
  const tokens = tf.mul(
    tf.gather(w.vocabulary, w.ids),
    config.scale_embedding ? Math.sqrt(config.d_model) : 1,
  );
  let x = norm(w, 'model.decoder.layernorm_embedding', tf.add(tokens, tf.gather(w.positions, w.position)));
  for (const layer of layers(config)) {
    const prefix = `model.decoder.layers.${layer}`;
    const projected = tf.reshape(linear(w, `${prefix}.self_attn.qkv`, x), [rows * heads, 1, 3 * headWidth]);
    const [q, k, v] = tf.split(projected, 3, -1);
    const query = tf.mul(q, scale);
    const past = tf.add(timeMajorMatMul(query, w[cachedKey(layer)], true), w.cacheBias);
    const present = tf.sum(tf.mul(query, k), -1, true);
    const shares = tf.softmax(tf.concat([present, past], -1));
    const presentShare = tf.slice(shares, [0, 0, 0], [-1, -1, 1]);
    // The traced slice ends at the longest cache; ONNX cuts that to the length of the one that is fed.
    const pastShares = tf.slice(shares, [0, 0, 1]);
    const mixed = tf.add(timeMajorMatMul(pastShares, w[cachedValue(layer)], false), tf.mul(presentShare, v));
    outputs[newKey(layer)] = k;
    outputs[newValue(layer)] = v;
    x = residual(w, `${prefix}.self_attn`, x, tf.reshape(mixed, [rows, config.d_model]));

    const crossQuery = tf.transpose(
      tf.reshape(tf.mul(linear(w, `${prefix}.encoder_attn.q_proj`, x), scale), [
        prompts,
        samples,
        heads,
        headWidth,
      ]),
      [0, 2, 1, 3],
    );
    const crossWeights = tf.softmax(
      tf.add(tf.matMul(crossQuery, w[crossKey(layer)], false, true), promptBias),
    );
    const crossed = tf.transpose(tf.matMul(crossWeights, w[crossValue(layer)]), [0, 2, 1, 3]);
    x = residual(w, `${prefix}.encoder_attn`, x, tf.reshape(crossed, [rows, config.d_model]));

    const inner = linear(w, `${prefix}.fc2`, gelu(linear(w, `${prefix}.fc1`, x)));
    x = norm(w, `${prefix}.final_layer_norm`, tf.add(x, inner));
  }
  outputs.logits = tf.fused.matMul({
    a: x as Tensor & { rank: 2 },
    b: w.vocabulary,
    transposeB: true,
    bias: w.vocabularyBias,
  });
  return outputs;
}

function residual(w: Weights, attention: string, x: Tensor, mixed: Tensor): Tensor {
  return norm(w, `${attention}_layer_norm`, tf.add(x, linear(w, `${attention}.out_proj`, mixed)));
}

/** The decoder's weights with each head's query, key and value projections side by side, and the vocabulary's rows of the tied embedding. */
function stepConstants(config: BartConfig, weights: HostWeights, vocabulary: Int32Array): Constants {
  const width = config.d_model;
  const constants: Constants = {};
  for (const name of weights.keys()) {
    const unused = /self_attn\.[qkv]_proj|encoder_attn\.[kv]_proj|embed_positions/.test(name);
    if (name.startsWith('model.decoder.') && !unused) constants[name] = constant(weights, name);
  }
  for (const layer of layers(config)) {
    const name = `model.decoder.layers.${layer}.self_attn`;
    for (const part of ['weight', 'bias'] as const) {
      const parts = ['q', 'k', 'v'].map((letter) => constant(weights, `${name}.${letter}_proj.${part}`).data);
      const headSize = parts[0].length / config.decoder_attention_heads;
      const data = new Float32Array(3 * parts[0].length);
      parts.forEach((values, i) => {
        for (let head = 0; head < config.decoder_attention_heads; head++) {
          const rows = values.subarray(head * headSize, (head + 1) * headSize);
          data.set(rows, (3 * head + i) * headSize);
        }
      });
      constants[`${name}.qkv.${part}`] = {
        shape: part === 'weight' ? [3 * width, width] : [3 * width],
        data,
      };
    }
  }
  const positions = constant(weights, 'model.decoder.embed_positions.weight').data.subarray(
    POSITION_OFFSET * width,
  );
  const embedding = constant(weights, SHARED_EMBEDDING).data;
  const bias = constant(weights, LOGITS_BIAS).data;
  const table = new Float32Array(vocabulary.length * width);
  vocabulary.forEach((id, i) => {
    table.set(embedding.subarray(id * width, (id + 1) * width), i * width);
  });
  return {
    ...constants,
    positions: { shape: [config.max_position_embeddings, width], data: positions },
    vocabulary: { shape: [vocabulary.length, width], data: table },
    vocabularyBias: { shape: [vocabulary.length], data: Float32Array.from(vocabulary, (id) => bias[id]) },
  };
}

export function constant(weights: HostWeights, name: string) {
  const { shape, data } = weights.get(name)!;
  return { shape, data: data as Float32Array };
}

export function layers(config: BartConfig): number[] {
  return [...Array(config.decoder_layers).keys()];
}
