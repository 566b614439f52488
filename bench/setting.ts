/** What is timed, on both sides the same: a BART with random weights, one prompt, completions of one length. */
import { availableParallelism } from 'node:os';

export interface Setting {
  /** Keys of config.json. */
  model: {
    vocab_size: number;
    max_position_embeddings: number;
    d_model: number;
    encoder_layers: number;
    decoder_layers: number;
    encoder_attention_heads: number;
    decoder_attention_heads: number;
    encoder_ffn_dim: number;
    decoder_ffn_dim: number;
  };
  /** In ids, `<s>` and `</s>` included. */
  promptLength: number;
  completionLength: number;
  /** Sampling rule of both sides: what transformers does unless told otherwise. */
  topK: number;
  beta: number;
  learningRate: number;
  /** Preference pairs to step through, over and over. */
  pairs: number;
  /** Pairs of one step. */
  batchSize: number;
  threads: number;
  /** Where both sides compute. */
  device: 'cpu' | 'cuda';
  /** Matrix products of float32 by a GPU's tensor cores, on both sides. */
  tf32: boolean;
}

/** 6.5 million parameters. */
export const small: Setting = {
  model: {
    vocab_size: 1600,
    max_position_embeddings: 1024,
    d_model: 256,
    encoder_layers: 3,
    decoder_layers: 3,
    encoder_attention_heads: 4,
    decoder_attention_heads: 4,
    encoder_ffn_dim: 1024,
    decoder_ffn_dim: 1024,
  },
  promptLength: 200,
  completionLength: 150,
  topK: 50,
  beta: 0.1,
  learningRate: 1e-6,
  pairs: 4,
  batchSize: 1,
  threads: availableParallelism(),
  device: 'cpu',
  tf32: false,
};

/** The research code's size, 146 million parameters: BART-base with its 50,265 ids of text and 9,215 ids of sound. */
export const base: Setting = {
  ...small,
  model: {
    vocab_size: 59_480,
    max_position_embeddings: 1024,
    d_model: 768,
    encoder_layers: 6,
    decoder_layers: 6,
    encoder_attention_heads: 12,
    decoder_attention_heads: 12,
    encoder_ffn_dim: 3072,
    decoder_ffn_dim: 3072,
  },
  promptLength: 512,
  completionLength: 256,
};
