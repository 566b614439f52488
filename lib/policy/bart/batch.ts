/** A batch of prompts and completions through BART: prompts into the encoder, completions shifted right into a causal decoder. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { InputSpec, ProgramSource } from '../../engine/index.js';
import type { BatchSizes, Rows, Tensors } from '../architecture.js';
import { attentionMask, causalMask, padIds } from '../padding.js';
import type { BartConfig } from './config.js';
import { decode, encode } from './network.js';

export function batchInputs(
  _config: BartConfig,
  { prompts, samples, promptLength, completionLength }: BatchSizes,
): { inputs: Record<string, InputSpec>; constants: ProgramSource['constants'] } {
  return {
    inputs: {
      promptIds: { shape: [prompts, promptLength], dtype: 'int32' },
      promptMask: { shape: [prompts, promptLength], dtype: 'float32' },
      decoderIds: { shape: [prompts * samples, completionLength], dtype: 'int32' },
    },
    constants: {
      causalMask: { shape: [completionLength, completionLength], data: causalMask(completionLength) },
    },
  };
}

export function collate(
  config: BartConfig,
  { promptLength, completionLength }: BatchSizes,
  prompts: Rows,
  completions: Rows,
) {
  return {
    promptIds: padIds(prompts, promptLength, config.pad_token_id),
    promptMask: attentionMask(prompts, promptLength),
    decoderIds: padIds(
      completions.map((labels) => shiftRight(labels, config)),
      completionLength,
      config.pad_token_id,
    ),
  };
}

/** The encoder runs once a prompt. */
export function hiddenStates(config: BartConfig, tensors: Tensors): Tensor {
  const { promptIds, promptMask, decoderIds, causalMask } = tensors;
  const encoded = encode(config, tensors, promptIds, promptMask);
  return decode(config, tensors, {
    ids: decoderIds,
    encoded,
    encoderMask: promptMask,
    selfMask: causalMask,
  });
}

/** Labels moved one place right behind decoder_start_token_id (transformers' shift_tokens_right). */
function shiftRight(labels: readonly number[], config: BartConfig): number[] {
  return [config.decoder_start_token_id, ...labels.slice(0, -1)];
}
