import { describe, expect, test } from 'vitest';
import { architectureOf } from '../../../lib/policy/architectures.js';
import { bart } from '../../../lib/policy/bart/bart.js';
import { TINY_CONFIG_JSON } from '../../support/tiny-bart.js';

/** As a folder's config.json is read: its model_type says who parses it. */
const parse = (content: unknown) =>
  architectureOf(content, 'folder/config.json', [bart]).parseConfig(content, 'folder/config.json');
const without = (key: keyof typeof TINY_CONFIG_JSON): object => {
  const { [key]: _, ...others } = TINY_CONFIG_JSON;
  return others;
};

describe('parseBartConfig', () => {
  test("fills in transformers' defaults for what a file leaves out", () => {
    expect(parse(TINY_CONFIG_JSON)).toEqual({
      ...TINY_CONFIG_JSON,
      attention_dropout: 0,
      activation_dropout: 0,
      init_std: 0.02,
      is_encoder_decoder: true,
      encoder_layerdrop: 0,
      decoder_layerdrop: 0,
    });
    expect(parse(without('forced_eos_token_id')).forced_eos_token_id).toBe(2);
  });

  test('keeps keys that it does not know', () => {
    const further = {
      id2label: { 0: 'A' },
      task_specific_params: { summarization: { length_penalty: 1 } },
      normalize_before: false,
    };
    expect(parse({ ...TINY_CONFIG_JSON, ...further })).toMatchObject(further);
  });

  test.each([
    [
      { model_type: 'gpt2' },
      "config.json of model_type 'gpt2' (folder/config.json): speech-dpo reads BART (model_type 'bart').",
    ],
    [
      { activation_function: 'relu' },
      'activation_function is "relu", but the BART that speech-dpo computes has "gelu".',
    ],
    [
      { normalize_before: true },
      'normalize_before is true, but the BART that speech-dpo computes has false.',
    ],
    [
      { tie_word_embeddings: false },
      'tie_word_embeddings is false, but the BART that speech-dpo computes has true.',
    ],
    [{ encoder_layerdrop: 0.1 }, 'encoder_layerdrop is 0.1, but the BART that speech-dpo computes has 0.'],
    [{ d_model: 5 }, 'd_model 5 is not divisible by encoder_attention_heads 2.'],
    [{ decoder_attention_heads: 3 }, 'd_model 4 is not divisible by decoder_attention_heads 3.'],
    [{ eos_token_id: 11 }, 'eos_token_id 11 is outside the vocabulary of 11.'],
    [{ forced_bos_token_id: 20 }, 'forced_bos_token_id 20 is outside the vocabulary of 11.'],
    [{ dropout: 1 }, 'dropout is 1: '],
    [{ encoder_layers: 0 }, 'encoder_layers is 0: '],
    [{ vocab_size: '11' }, 'vocab_size is "11": '],
    [{ scale_embedding: 1 }, 'scale_embedding is 1: '],
  ])('refuses %j', (change, message) => {
    expect(() => parse({ ...TINY_CONFIG_JSON, ...change })).toThrow(message);
    expect(() => parse({ ...TINY_CONFIG_JSON, ...change })).toThrow('folder/config.json');
  });

  test('names a size that is missing, and a file that is no configuration', () => {
    expect(() => parse(without('d_model'))).toThrow('folder/config.json: d_model is missing.');
    for (const content of [without('model_type'), [], null, 'bart', 3]) {
      expect(() => parse(content)).toThrow('folder/config.json has no model_type');
    }
  });
});
