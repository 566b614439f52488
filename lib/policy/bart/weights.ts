/** BART's tensors, by transformers' names. */
import type { HostTensor } from '../../engine/host-tensor.js';
import type { BartConfig } from './config.js';

/** Learned positions start at row 2: BART's position tables have two rows more than `max_position_embeddings`. */
export const POSITION_OFFSET = 2;

/** The matrix that embeds encoder and decoder inputs and, transposed, is the output head. */
export const SHARED_EMBEDDING = 'model.shared.weight';

/** The bias of the output head, a buffer that is saved but not trained. */
export const LOGITS_BIAS = 'final_logits_bias';

/** Names under which older files repeat the shared embedding. */
const SHARED_EMBEDDING_ALIASES = [
  'model.encoder.embed_tokens.weight',
  'model.decoder.embed_tokens.weight',
  'lm_head.weight',
] as const;

/** A number that files converted from fairseq may hold, and transformers passes over. */
const FAIRSEQ_VERSION = /^(model\.)?(encoder|decoder)\.version$/;

type Shapes = Map<string, number[]>;

/**
 * Names and shapes of every tensor of transformers' `BartForConditionalGeneration`, the tied embedding once.
 * Linear weights are [out, in].
 */
export function bartWeightShapes(config: BartConfig): Shapes {
  const width = config.d_model;
  const shapes: Shapes = new Map([[SHARED_EMBEDDING, [config.vocab_size, width]]]);
  for (const part of ['encoder', 'decoder'] as const) {
    const prefix = `model.${part}`;
    shapes.set(`${prefix}.embed_positions.weight`, [config.max_position_embeddings + POSITION_OFFSET, width]);
    addNorm(shapes, `${prefix}.layernorm_embedding`, width);
    for (let layer = 0; layer < config[`${part}_layers`]; layer++) {
      const layerPrefix = `${prefix}.layers.${layer}`;
      addAttention(shapes, `${layerPrefix}.self_attn`, width);
      if (part === 'decoder') addAttention(shapes, `${layerPrefix}.encoder_attn`, width);
      addLinear(shapes, `${layerPrefix}.fc1`, config[`${part}_ffn_dim`], width);
      addLinear(shapes, `${layerPrefix}.fc2`, width, config[`${part}_ffn_dim`]);
      addNorm(shapes, `${layerPrefix}.final_layer_norm`, width);
    }
  }
  shapes.set(LOGITS_BIAS, [1, config.vocab_size]);
  return shapes;
}

function addAttention(shapes: Shapes, name: string, width: number): void {
  for (const projection of ['k_proj', 'v_proj', 'q_proj', 'out_proj']) {
    addLinear(shapes, `${name}.${projection}`, width, width);
  }
  addNorm(shapes, `${name}_layer_norm`, width);
}

function addLinear(shapes: Shapes, name: string, out: number, input: number): void {
  shapes.set(`${name}.weight`, [out, input]);
  shapes.set(`${name}.bias`, [out]);
}

function addNorm(shapes: Shapes, name: string, width: number): void {
  shapes.set(`${name}.weight`, [width]);
  shapes.set(`${name}.bias`, [width]);
}

/** Tied copies of the embedding are checked and dropped; a missing final_logits_bias is zeros, as in transformers. */
export function fromFile(
  tensors: ReadonlyMap<string, HostTensor>,
  config: BartConfig,
  directory: string,
): Map<string, HostTensor> {
  const own = new Map([...tensors].filter(([name]) => !FAIRSEQ_VERSION.test(name)));
  const weights = untieEmbeddings(withModelPrefix(own), directory);
  if (!weights.has(LOGITS_BIAS)) {
    const data = new Float32Array(config.vocab_size);
    weights.set(LOGITS_BIAS, { shape: [1, config.vocab_size], dtype: 'float32', data });
  }
  return weights;
}

/** Files of the bare `BartModel` name their tensors without "model."; transformers adds it on loading. */
function withModelPrefix(tensors: ReadonlyMap<string, HostTensor>): ReadonlyMap<string, HostTensor> {
  if ([...tensors.keys()].some((name) => name.startsWith('model.'))) return tensors;
  return new Map(
    [...tensors].map(([name, tensor]) => [
      /^(shared|encoder|decoder)\./.test(name) ? `model.${name}` : name,
      tensor,
    ]),
  );
}

function untieEmbeddings(
  tensors: ReadonlyMap<string, HostTensor>,
  directory: string,
): Map<string, HostTensor> {
  const untied = new Map(tensors);
  for (const alias of SHARED_EMBEDDING_ALIASES) {
    const copy = tensors.get(alias);
    if (!copy) continue;
    const shared = untied.get(SHARED_EMBEDDING);
    if (shared && !sameTensor(shared, copy)) {
      throw new Error(
        `${directory}: ${alias} differs from the embedding it is tied to; speech-dpo computes BART with one shared embedding.`,
      );
    }
    untied.set(SHARED_EMBEDDING, copy);
    untied.delete(alias);
  }
  return untied;
}

function sameTensor(a: HostTensor, b: HostTensor): boolean {
  const bytes = ({ data }: HostTensor): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return a.dtype === b.dtype && String(a.shape) === String(b.shape) && bytes(a).equals(bytes(b));
}
