import { expect, it } from 'vitest';
import { parseBartConfig } from '../../../lib/policy/bart/config.js';
import { bartWeightShapes } from '../../../lib/policy/bart/weights.js';
import { initializeWeights } from '../../../lib/policy/bart/initialize.js';

const config = parseBartConfig(
  {
    model_type: 'bart',
    vocab_size: 400,
    max_position_embeddings: 30,
    d_model: 32,
    encoder_layers: 1,
    encoder_attention_heads: 2,
    encoder_ffn_dim: 64,
    decoder_layers: 1,
    decoder_attention_heads: 2,
    decoder_ffn_dim: 64,
    init_std: 0.05,
  },
  'test',
);

it('makes every tensor: normal matrices, norms of 1, biases of 0, a pad row of 0', () => {
  const weights = initializeWeights(config, 1);
  expect([...weights].map(([name, { shape }]) => [name, shape])).toEqual([...bartWeightShapes(config)]);
  const of = (name: string) => weights.get(name)!.data as Float32Array;
  expect(new Set(of('model.encoder.layers.0.fc1.bias'))).toEqual(new Set([0]));
  expect(new Set(of('model.encoder.layernorm_embedding.weight'))).toEqual(new Set([1]));
  expect(new Set(of('model.decoder.layers.0.encoder_attn_layer_norm.bias'))).toEqual(new Set([0]));
  const embedding = of('model.shared.weight');
  expect(new Set(embedding.subarray(32, 64))).toEqual(new Set([0]));
  const values = [...embedding.subarray(64)];
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  const deviation = Math.sqrt(
    values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length,
  );
  // Of n normal values: the mean is within 5 of its standard deviations, and so is the deviation.
  expect(Math.abs(mean)).toBeLessThan((5 * 0.05) / Math.sqrt(values.length));
  expect(Math.abs(deviation / 0.05 - 1)).toBeLessThan(5 / Math.sqrt(2 * values.length));
  const beyondTwo = values.filter((value) => Math.abs(value) > 0.1).length / values.length;
  expect(beyondTwo).toBeCloseTo(0.0455, 2);
});

it('depends on the seed alone', () => {
  expect(initializeWeights(config, 7)).toEqual(initializeWeights(config, 7));
  expect(initializeWeights(config, 7)).not.toEqual(initializeWeights(config, 8));
});
