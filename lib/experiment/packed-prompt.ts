import type { DatasetItem } from '../data/item.js';
import type { Split } from '../run/events.js';

/** A prompt, its place in its split and its ids as the policy reads them. */
export interface PackedPrompt {
  index: number;
  item: DatasetItem;
  ids: number[];
}

/**
 * What a run should say of prompts that are there more than once, a sentence for each kind; two prompts are the same if the policy reads the
 * same ids.
 */
export function describeRepeats({ train, test }: Record<Split, readonly PackedPrompt[]>): string[] {
  const keyOf = ({ ids }: PackedPrompt) => ids.join();
  const trained = new Map(train.map((prompt) => [keyOf(prompt), prompt.index]));
  const known = test.filter((prompt) => trained.has(keyOf(prompt)));
  const repeated = ([split, prompts]: [string, readonly PackedPrompt[]]) => {
    const count = prompts.length - new Set(prompts.map(keyOf)).size;
    if (count === 0) return [];
    return [
      `${count} of the ${prompts.length} ${split} prompts repeat an earlier one: intervals over prompts count them as if they were others, and are too narrow`,
    ];
  };
  const [first] = known;
  const leaks = first
    ? [
        `${known.length} of the ${test.length} held-out prompts are training prompts too (the first is held-out prompt ${first.index}, training prompt ${trained.get(keyOf(first))}): their reward does not show what the policy does with prompts that it was not trained on`,
      ]
    : [];
  return [...leaks, ...repeated(['training', train]), ...repeated(['held-out', test])];
}
