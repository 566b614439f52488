import type { PreferencePair } from '../dpo/trainer.js';
import { sentenceOf } from '../plain-error.js';
import { packPair, packPairs, type PreferenceRow } from '../run/data-file.js';
import type { Run } from './run.js';
import type { PackedPrompt } from './packed-prompt.js';

/** A preference pair, as it goes from the samples to the data file, to audio and to training. */
export interface TrainingPair {
  /** What the data file keeps of it. */
  row: PreferenceRow;
  /** What training reads. */
  ids: PreferencePair;
  /** The train prompt that it answers; none for pairs of another run. */
  promptIndex?: number;
}

/**
 * A pair of completions of a prompt.
 *
 * @throws Error naming the prompt when a completion is longer than the policy's positions
 */
export function pairOf(
  policy: Run['policy'],
  { index, ids }: PackedPrompt,
  row: PreferenceRow,
): TrainingPair {
  try {
    return { row, ids: packPair(policy, ids, row), promptIndex: index };
  } catch (error) {
    throw new Error(`a pair of prompt ${index}: ${sentenceOf(error)}`, { cause: error });
  }
}

/**
 * The rows of a data file as pairs of the train prompts that they were made from.
 *
 * @throws Error naming the pair that does not fit the policy
 */
export function pairsOf(
  { policy, train }: Pick<Run, 'policy' | 'train'>,
  rows: readonly PreferenceRow[],
): TrainingPair[] {
  const packed = packPairs(policy, rows);
  const known = new Map(train.map(({ index, ids }) => [ids.join(), index]));
  return rows.map((row, i) => ({ row, ids: packed[i], promptIndex: known.get(packed[i].prompt.join()) }));
}

/** For each prompt the index of the first that reads the same: a data file does not tell such prompts apart. */
export function firstAlike(prompts: readonly PackedPrompt[]): number[] {
  const texts = prompts.map(({ ids }) => ids.join());
  return texts.map((text) => texts.indexOf(text));
}
