import { bart } from '../../lib/policy/bart/bart.js';
import { parseBartConfig, type BartConfig } from '../../lib/policy/bart/config.js';
import type { FloatTensor } from '../../lib/engine/host-tensor.js';
import { initializeWeights } from '../../lib/policy/bart/initialize.js';
import type { Policy } from '../../lib/policy/policy.js';
import { uniformStream } from '../../lib/random.js';

const FIRST_CODE_ID = 12;

/**
 * A policy with random weights of two layers each side: 4 special ids, 8 for text (one a letter, by its code), then the codes of
 * `codebooks` codebooks of `codebookSize`. Biases and layer norms are random too, so that forgetting one shows.
 */
export function randomPolicy(
  seed = 1,
  { codebooks = 1, codebookSize = 20, positions = 40, initStd = 0.4 } = {},
): Policy<BartConfig> {
  const config = parseBartConfig(
    {
      model_type: 'bart',
      vocab_size: FIRST_CODE_ID + codebooks * codebookSize,
      max_position_embeddings: positions,
      d_model: 16,
      encoder_layers: 2,
      encoder_attention_heads: 2,
      encoder_ffn_dim: 24,
      decoder_layers: 2,
      decoder_attention_heads: 4,
      decoder_ffn_dim: 24,
      init_std: initStd,
    },
    'random policy',
  );
  return {
    architecture: bart,
    config,
    weights: perturbVectors(initializeWeights(config, seed), seed),
    directory: '',
    tokenizer: {
      codebooks,
      codebookSize,
      firstCodeId: FIRST_CODE_ID,
      encodeText: (text) => Array.from(text, (letter) => 4 + (letter.charCodeAt(0) % 8)),
      codeId: (codebook, code) => FIRST_CODE_ID + codebook * codebookSize + code,
    },
  };
}

function perturbVectors(weights: Map<string, FloatTensor>, seed: number): Map<string, FloatTensor> {
  const uniform = uniformStream(seed, 1);
  for (const [name, { shape, data }] of weights) {
    if (!/bias$|norm/.test(name)) continue;
    const perturbed = Float32Array.from(data, (value) => value + 0.4 * (uniform() - 0.5));
    weights.set(name, { shape, dtype: 'float32', data: perturbed });
  }
  return weights;
}

export function copyWeights(weights: ReadonlyMap<string, FloatTensor>): Map<string, FloatTensor> {
  return new Map(
    [...weights].map(([name, { shape, data }]) => [name, { shape, dtype: 'float32', data: data.slice() }]),
  );
}
