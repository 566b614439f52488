/** Preference pairs as padded arrays. */
import type { BatchSizes, Model, ModelConfig } from '../policy/architecture.js';
import { checkIds, lengthMask, padIds, steppedLength } from '../policy/padding.js';
import type { Arrays } from '../train/objective.js';

/** Packed token ids: prompt as the policy reads it, completions as labels (`<s>` ... `</s>`). */
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

/** The network that pairs are of. */
export type Network = Pick<Model, 'architecture' | 'config'>;

/**
 * @throws Error naming the pair and the part of it that has none of the model's ids, or more than the model has positions, or rewards that are no
 *   numbers
 */
export function checkPairs(pairs: readonly PreferencePair[], { architecture, config }: Network): void {
  pairs.forEach((pair, index) => {
    const check = (part: 'prompt' | 'chosen' | 'rejected', positions: number) => {
      checkIds(pair[part], config, `pair ${index}: ${part}`);
      if (pair[part].length === 0) throw new Error(`pair ${index}: ${part} has no ids`);
      if (pair[part].length > positions)
        throw new Error(
          `pair ${index}: ${part} has ${pair[part].length} ids, the model has ${positions} positions`,
        );
    };
    check('prompt', config.max_position_embeddings);
    const left = architecture.completionPositions(config, pair.prompt.length);
    check('chosen', left);
    check('rejected', left);
    const { rewards } = pair;
    if (rewards && ![rewards.chosen, rewards.rejected].every(Number.isFinite))
      throw new Error(
        `pair ${index}: its rewards must be two finite numbers, not ${rewards.chosen} and ${rewards.rejected}`,
      );
  });
}

/** The smallest stepped lengths that hold every pair, never above the model's positions. */
export function batchShape(pairs: readonly PreferencePair[], config: ModelConfig): BatchShape {
  const prompts = pairs.map(({ prompt }) => prompt.length);
  const completions = pairs.flatMap(({ chosen, rejected }) => [chosen.length, rejected.length]);
  return shapeOfLengths(pairs.length, Math.max(...prompts), Math.max(...completions), config);
}

/** The shape of so many pairs whose longest prompt and completion have so many ids. */
export function shapeOfLengths(
  pairs: number,
  prompt: number,
  completion: number,
  config: ModelConfig,
): BatchShape {
  return {
    pairs,
    promptLength: steppedLength([prompt], PROMPT_STEP, config),
    completionLength: steppedLength([completion], COMPLETION_STEP, config),
  };
}

/** What the architecture is told of a shape: two completions of each prompt, chosen and rejected. */
export function sizesOf({ pairs, promptLength, completionLength }: BatchShape): BatchSizes {
  return { prompts: pairs, samples: 2, promptLength, completionLength };
}

/**
 * The architecture's arrays of a batch of B pairs, labels [R * T] int32 (any id where masked), and labelMask [R, T], 1 where a label
 * counts. Rows are in the order chosen 0, rejected 0, chosen 1, ... (R = 2B).
 */
export function collatePairs(
  pairs: readonly PreferencePair[],
  shape: BatchShape,
  { architecture, config }: Network,
): Arrays {
  const prompts = pairs.map(({ prompt }) => prompt);
  const completions = pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]);
  const { completionLength } = shape;
  return {
    ...architecture.collate(config, sizesOf(shape), prompts, completions),
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
