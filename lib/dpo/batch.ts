/** Preference pairs as padded arrays. */
import type { BartConfig } from '../checkpoint/bart-config.js';
import { MASKED } from '../policy/bart.js';

/** Packed token ids: prompt as the encoder reads it, completions as labels (`<s>` ... `</s>`). */
export interface PreferencePair {
  prompt: number[];
  chosen: number[];
  rejected: number[];
}

/** Lengths are rounded up to these steps, so that few different shapes are compiled. */
const PROMPT_STEP = 32;
const COMPLETION_STEP = 16;

export interface BatchShape {
  pairs: number;
  promptLength: number;
  completionLength: number;
}

/** The smallest stepped lengths that hold every pair, never above the model's positions. */
export function batchShape(pairs: readonly PreferencePair[], config: BartConfig): BatchShape {
  const stepped = (length: number, step: number) =>
    Math.min(Math.ceil(length / step) * step, config.max_position_embeddings);
  return {
    pairs: pairs.length,
    promptLength: stepped(Math.max(...pairs.map(({ prompt }) => prompt.length)), PROMPT_STEP),
    completionLength: stepped(
      Math.max(...pairs.flatMap(({ chosen, rejected }) => [chosen.length, rejected.length])),
      COMPLETION_STEP,
    ),
  };
}

/** Token ids padded to [rows, length]. */
export function padIds(rows: readonly (readonly number[])[], length: number, pad: number): Int32Array {
  const ids = new Int32Array(rows.length * length).fill(pad);
  rows.forEach((row, i) => {
    ids.set(row, i * length);
  });
  return ids;
}

/** A value for each position of [rows, length]: `inside` the row, `outside` in its padding. */
export function lengthMask(
  rows: readonly (readonly number[])[],
  length: number,
  inside: number,
  outside: number,
): Float32Array {
  const mask = new Float32Array(rows.length * length).fill(outside);
  rows.forEach((row, i) => {
    mask.fill(inside, i * length, i * length + row.length);
  });
  return mask;
}

/** Additive attention mask [rows, length]. */
export function attentionMask(rows: readonly (readonly number[])[], length: number): Float32Array {
  return lengthMask(rows, length, 0, MASKED);
}

/** Labels moved one place right behind decoder_start_token_id (transformers' shift_tokens_right). */
export function shiftRight(labels: readonly number[], config: BartConfig): number[] {
  return [config.decoder_start_token_id, ...labels.slice(0, -1)];
}

/** The arrays of `PairTensors` (lib/dpo/loss.ts). */
export function collatePairs(pairs: readonly PreferencePair[], shape: BatchShape, config: BartConfig) {
  const prompts = pairs.map(({ prompt }) => prompt);
  const completions = pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]);
  const { promptLength, completionLength } = shape;
  return {
    promptIds: padIds(prompts, promptLength, config.pad_token_id),
    promptMask: attentionMask(prompts, promptLength),
    decoderIds: padIds(
      completions.map((labels) => shiftRight(labels, config)),
      completionLength,
      config.pad_token_id,
    ),
    labels: padIds(completions, completionLength, config.pad_token_id),
    labelMask: lengthMask(completions, completionLength, 1, 0),
  };
}
