/** Preference pairs as padded arrays. */
import type { BatchSizes, ModelConfig } from '../policy/architecture.js';
import { checkIds, steppedLength } from '../policy/padding.js';
import type { Arrays } from '../train/objective.js';
import { collateLabelled, type Network } from './labelled-rows.js';

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
  return { pairs: pairs.length, ...steppedLengths(Math.max(...prompts), Math.max(...completions), config) };
}

/** Of a batch whose longest prompt and completion have so many ids. */
export function steppedLengths(
  prompt: number,
  completion: number,
  config: ModelConfig,
): Pick<BatchSizes, 'promptLength' | 'completionLength'> {
  return {
    promptLength: steppedLength([prompt], PROMPT_STEP, config),
    completionLength: steppedLength([completion], COMPLETION_STEP, config),
  };
}

/** What the architecture is told of a shape: two completions of each prompt, chosen and rejected. */
export function sizesOf({ pairs, promptLength, completionLength }: BatchShape): BatchSizes {
  return { prompts: pairs, samples: 2, promptLength, completionLength };
}

/**
 * The arrays of B pairs as `collateLabelled` makes them, with rows in the order chosen 0, rejected 0, chosen 1, ...
 */
export function collatePairs(pairs: readonly PreferencePair[], shape: BatchShape, network: Network): Arrays {
  const prompts = pairs.map(({ prompt }) => prompt);
  const completions = pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]);
  return collateLabelled(network, sizesOf(shape), prompts, completions);
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
