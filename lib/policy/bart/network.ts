/**
 * BART (Lewis et al. 2019) as transformers 4.x computes it (modeling_bart.py): post-norm, learned positions with offset 2, exact GELU,
 * tied output head plus `final_logits_bias`. Pure TensorFlow.js functions of the weights, to be compiled or run eagerly.
 *
 * Letters in shapes: B prompts, G completions of each prompt, R = B*G rows in the order prompt by prompt, S source length,
 * T target length, D width, V vocabulary. Masks are additive: 0 where a position counts, MASKED where it does not.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { gelu, layerNorm } from '../../engine/fused.js';
import { tf } from '../../engine/tf.js';
import type { Tensors } from '../architecture.js';
import { attention, splitHeads } from '../attention.js';
import { addLowRank } from '../lora.js';
import type { BartConfig } from './config.js';
import { LOGITS_BIAS, POSITION_OFFSET, SHARED_EMBEDDING } from './weights.js';

/** Token vectors [rows, length, D] with their positions, normalised. */
export function addPositions(
  config: BartConfig,
  w: Tensors,
  part: 'encoder' | 'decoder',
  tokens: Tensor,
): Tensor {
  const length = tokens.shape[1]!;
  const table = w[`model.${part}.embed_positions.weight`];
  const positions = tf.slice(table, [POSITION_OFFSET, 0], [length, config.d_model]);
  return norm(w, `model.${part}.layernorm_embedding`, tf.add(tokens, positions));
}

/**
 * Ids [rows, length] to their vectors [rows, length, D]; ids [rows, length, K] to sums of K vectors a position, pad ids left out (several
 * codebooks at once).
 */
export function embedTokens(config: BartConfig, w: Tensors, ids: Tensor): Tensor {
  const scale = embeddingScale(config);
  const vectors = tf.gather(w[SHARED_EMBEDDING], ids);
  const scaled = scale === 1 ? vectors : tf.mul(vectors, scale);
  if (ids.rank === 2) return scaled;
  const counts = tf.cast(tf.notEqual(ids, tf.scalar(config.pad_token_id, 'int32')), 'float32');
  return tf.sum(tf.mul(scaled, tf.expandDims(counts, -1)), 2);
}

export function embeddingScale(config: BartConfig): number {
  return config.scale_embedding ? Math.sqrt(config.d_model) : 1;
}

/** Encoder: ids [B, S] (or [B, S, K]), mask [B, S] to hidden states [B, S, D]. */
export function encode(config: BartConfig, w: Tensors, ids: Tensor, mask: Tensor): Tensor {
  return encodeTokens(config, w, embedTokens(config, w, ids), mask);
}

/** The encoder behind its lookup: token vectors [B, S, D], mask [B, S] to hidden states [B, S, D]. */
export function encodeTokens(config: BartConfig, w: Tensors, tokens: Tensor, mask: Tensor): Tensor {
  const [batch, length] = tokens.shape;
  const bias = tf.reshape(mask, [batch, 1, 1, length]);
  const heads = config.encoder_attention_heads;
  let x = addPositions(config, w, 'encoder', tokens);
  for (let layer = 0; layer < config.encoder_layers; layer++) {
    const prefix = `model.encoder.layers.${layer}`;
    x = addAttention(w, `${prefix}.self_attn`, x, (name) => attend(w, name, heads, x, x, bias));
    x = addFeedForward(w, prefix, x);
  }
  return x;
}

export interface DecoderInputs {
  /** [R, T] or [R, T, K] */
  ids: Tensor;
  /** [B, S, D] */
  encoded: Tensor;
  /** [B, S] */
  encoderMask: Tensor;
  /** Self-attention: [T, T] for a causal decoder, [R, 1, 1, T] for padding of a bidirectional one. */
  selfMask: Tensor;
}

/** Decoder: hidden states [R, T, D]. Rows of one prompt share its encoder states, whose keys and values are computed once. */
export function decode(
  config: BartConfig,
  w: Tensors,
  { ids, encoded, encoderMask, selfMask }: DecoderInputs,
): Tensor {
  const embedded = addPositions(config, w, 'decoder', embedTokens(config, w, ids));
  return decoderLayers(config, w, embedded, () => encoded, encoderMask, selfMask);
}

/**
 * The decoder after its embedding: x [R, T, D] to hidden states [R, T, D].
 *
 * @param source what a layer's cross-attention looks at: encoder states [B, S, D], or their keys and values
 */
export function decoderLayers(
  config: BartConfig,
  w: Tensors,
  embedded: Tensor,
  source: (layer: number) => Tensor | KeysAndValues,
  encoderMask: Tensor,
  selfMask: Tensor,
): Tensor {
  const [batch, sourceLength] = encoderMask.shape;
  const [rows, length, width] = embedded.shape as [number, number, number];
  const heads = config.decoder_attention_heads;
  const crossBias = tf.reshape(encoderMask, [batch, 1, 1, sourceLength]);
  return decoderLayerNumbers(config).reduce(
    (states, layer) =>
      decoderLayer(w, layer, states, {
        self: (name, x) => attend(w, name, heads, x, x, selfMask),
        cross: (name, x) => {
          const queries = tf.reshape(x, [batch, (rows / batch) * length, width]);
          return tf.reshape(attend(w, name, heads, queries, source(layer), crossBias), [rows, length, width]);
        },
      }),
    embedded,
  );
}

export function decoderLayerNumbers(config: BartConfig): number[] {
  return [...Array(config.decoder_layers).keys()];
}

/** What attention of the weights `name` mixes for the states x [..., D], before its output projection: [..., D]. */
type Attention = (name: string, x: Tensor) => Tensor;

/** One layer of the decoder: states [..., D] to [..., D]. Training and generation differ in how a layer attends, and in nothing else. */
export function decoderLayer(
  w: Tensors,
  layer: number,
  x: Tensor,
  { self, cross }: { self: Attention; cross: Attention },
): Tensor {
  const prefix = `model.decoder.layers.${layer}`;
  const attended = addAttention(w, `${prefix}.self_attn`, x, self);
  return addFeedForward(w, prefix, addAttention(w, `${prefix}.encoder_attn`, attended, cross));
}

function addAttention(w: Tensors, name: string, x: Tensor, attention: Attention): Tensor {
  return norm(w, `${name}_layer_norm`, tf.add(x, linear(w, `${name}.out_proj`, attention(name, x))));
}

function addFeedForward(w: Tensors, prefix: string, x: Tensor): Tensor {
  const inner = linear(w, `${prefix}.fc2`, gelu(linear(w, `${prefix}.fc1`, x)));
  return norm(w, `${prefix}.final_layer_norm`, tf.add(x, inner));
}

/** Output head, tied to the token embedding: hidden states [..., D] to logits [..., V]; with `rows` [H], ids, [N, D] to [N, H]. */
export function logits(w: Tensors, hidden: Tensor, rows?: Tensor): Tensor {
  const bias = tf.reshape(w[LOGITS_BIAS], [-1]);
  if (rows === undefined) return project(hidden, w[SHARED_EMBEDDING], bias);
  return project(hidden, tf.gather(w[SHARED_EMBEDDING], rows), tf.gather(bias, rows));
}

/** States [B, T, D] as an attention sees them, [B, heads, T, D / heads] each. */
export interface KeysAndValues {
  keys: Tensor;
  values: Tensor;
}

export function keysAndValues(w: Tensors, name: string, heads: number, states: Tensor): KeysAndValues {
  return {
    keys: splitHeads(linear(w, `${name}.k_proj`, states), heads),
    values: splitHeads(linear(w, `${name}.v_proj`, states), heads),
  };
}

/**
 * Multi-head attention of queries [B, Tq, D] over states [B, Tk, D] or their keys and values; `mask` broadcasts to
 * [B, heads, Tq, Tk]. Without the output projection.
 */
function attend(
  w: Tensors,
  name: string,
  heads: number,
  queries: Tensor,
  states: Tensor | KeysAndValues,
  mask: Tensor,
): Tensor {
  const width = queries.shape[2]!;
  const q = splitHeads(tf.mul(linear(w, `${name}.q_proj`, queries), Math.sqrt(heads / width)), heads);
  const { keys, values } = 'keys' in states ? states : keysAndValues(w, name, heads, states);
  return attention(q, keys, values, mask);
}

export function norm(w: Tensors, name: string, x: Tensor): Tensor {
  return layerNorm(x, w[`${name}.weight`], w[`${name}.bias`]);
}

/** A linear layer: x [..., in] to [..., out]; with its adapter, where it has one. */
export function linear(w: Tensors, name: string, x: Tensor): Tensor {
  return addLowRank(w, name, x, project(x, w[`${name}.weight`], w[`${name}.bias`]));
}

/** x [..., in] times weight [out, in] transposed, plus bias [out]. */
function project(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const rows = tf.reshape(x, [-1, x.shape[x.rank - 1]]);
  const product = tf.fused.matMul({ a: rows, b: weight, transposeB: true, bias });
  return tf.reshape(product, [...x.shape.slice(0, -1), weight.shape[0]]);
}
