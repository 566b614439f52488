/** What is timed, on both sides the same: a small BART with random weights, one prompt, completions of one length. */
import { availableParallelism } from 'node:os';

export const setting = {
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
  /** In ids, `<s>` and `</s>` included. */
  promptLength: 200,
  completionLength: 150,
  /** Sampling rule of both sides: what transformers does unless told otherwise. */
  topK: 50,
  beta: 0.1,
  learningRate: 1e-6,
  /** Preference pairs to step through, over and over. */
  pairs: 4,
  threads: availableParallelism(),
};
