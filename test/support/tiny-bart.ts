import { parseBartConfig } from '../../lib/policy/bart/config.js';
import type { BartConfig } from '../../lib/policy/bart/config.js';
import { bartWeightShapes } from '../../lib/policy/bart/weights.js';
import type { FloatTensor } from '../../lib/engine/host-tensor.js';

/** config.json of the smallest BART: width 4, one layer on each side. */
export const TINY_CONFIG_JSON = {
  model_type: 'bart',
  architectures: ['BartForConditionalGeneration'],
  vocab_size: 11,
  max_position_embeddings: 6,
  d_model: 4,
  encoder_layers: 1,
  encoder_attention_heads: 2,
  encoder_ffn_dim: 8,
  decoder_layers: 1,
  decoder_attention_heads: 1,
  decoder_ffn_dim: 6,
  activation_function: 'gelu',
  dropout: 0.1,
  bos_token_id: 0,
  pad_token_id: 1,
  eos_token_id: 2,
  decoder_start_token_id: 2,
  forced_eos_token_id: null,
  scale_embedding: false,
};

export function tinyConfig(changes: Record<string, unknown> = {}): BartConfig {
  return parseBartConfig({ ...TINY_CONFIG_JSON, ...changes }, 'config.json');
}

/** Weights that differ from tensor to tensor and from element to element, all exact in float16. */
export function tinyWeights(config: BartConfig): Map<string, FloatTensor> {
  const weights = new Map<string, FloatTensor>();
  for (const [name, shape] of bartWeightShapes(config)) {
    const length = shape.reduce((product, size) => product * size, 1);
    const data = Float32Array.from({ length }, (_, i) => weights.size / 64 - i / 128);
    weights.set(name, { shape, dtype: 'float32', data });
  }
  return weights;
}
