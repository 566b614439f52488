/** Preference pairs as padded arrays. */
import type { BartConfig } from '../checkpoint/bart-config.js';
import { attentionMask, lengthMask, padIds, steppedLength } from '../policy/padding.js';

/** Packed token ids: prompt as the encoder reads it, completions as labels (`<s>` ... `</s>`). */
export interface PreferencePair {
  prompt: number[];
  chosen: number[];
  rejected: number[];
  /** What a reward said of the completions, for losses that read it. */
  rewards?: { chosen: number; rejected: number };
}

/** Lengths are rounded up to these steps, so that few different shapes are compiled. */
const PROMPT_STEP = 32;
const COMPLETION_STEP = 16;

export interface BatchShape {
  pairs: number;
  promptLength: number;
  completionLength: number;
}

/** @throws Error naming the pair and the part of it that has more ids than the model has positions */
export function checkPairs(pairs: readonly PreferencePair[], config: BartConfig): void {
  const positions = config.max_position_embeddings;
  pairs.forEach((pair, index) => {
    for (const part of ['prompt', 'chosen', 'rejected'] as const)
      if (pair[part].length > positions)
        throw new Error(
          `pair ${index}: ${part} has ${pair[part].length} ids, the model has ${positions} positions`,
        );
  });
}

/** The smallest stepped lengths that hold every pair, never above the model's positions. */
export function batchShape(pairs: readonly PreferencePair[], config: BartConfig): BatchShape {
  const prompts = pairs.map(({ prompt }) => prompt.length);
  const completions = pairs.flatMap(({ chosen, rejected }) => [chosen.length, rejected.length]);
  return {
    pairs: pairs.length,
    promptLength: steppedLength(prompts, PROMPT_STEP, config),
    completionLength: steppedLength(completions, COMPLETION_STEP, config),
  };
}

/** Labels moved one place right behind decoder_start_token_id (transformers' shift_tokens_right). */
export function shiftRight(labels: readonly number[], config: BartConfig): number[] {
  return [config.decoder_start_token_id, ...labels.slice(0, -1)];
}

/** The arrays of `PairTensors` (lib/dpo/pair-program.ts). */
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

/** Numbers of a pair's two completions, pair after pair: what a preference loss reads as [B, 2]. */
export function ofEachPair(
  pairs: readonly PreferencePair[],
  numbersOf: (pair: PreferencePair) => ArrayLike<number>,
): Float32Array {
  return Float32Array.from(pairs.flatMap((pair) => Array.from(numbersOf(pair))));
}

/** Numbers of labels, chosen and rejected, pair after pair. */
export function labelCounts(pairs: readonly PreferencePair[]): Float32Array {
  return ofEachPair(pairs, ({ chosen, rejected }) => [chosen.length, rejected.length]);
}
