/** Which examples are trained on and which validate. */
import { shuffled } from '../random.js';
import type { PreferencePair } from './batch.js';

/** An example as the pairs that are computed of it, all of one prompt (`examplesAsPairs`). */
type Pairs = readonly PreferencePair[];

/**
 * Splits examples by their prompts: what a pair teaches of its prompt would else be validated on another pair of it. Those of the first
 * prompts of a seeded shuffle validate, as many prompts as hold the share, and at least one is left to train on. Where all are of one prompt,
 * the first examples of the shuffle validate; a single example is both trained on and validated with.
 *
 * @param share 0: none validates
 */
export function splitByPrompt(
  examples: readonly Pairs[],
  share: number,
  seed: number,
): { train: readonly Pairs[]; validation: readonly Pairs[] } {
  if (share === 0) return { train: examples, validation: [] };
  if (examples.length === 1) return { train: examples, validation: examples };
  const prompts = examples.map(([{ prompt }]) => JSON.stringify(prompt));
  const groups: (string | number)[] = new Set(prompts).size > 1 ? prompts : [...examples.keys()];
  const sizes = new Map<string | number, number>();
  for (const group of groups) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const held = new Set<string | number>();
  let wanted = examples.length * share;
  for (const group of shuffled([...sizes.keys()], seed, -1).slice(0, -1)) {
    if (wanted <= 0) break;
    held.add(group);
    wanted -= sizes.get(group)!;
  }
  return {
    train: examples.filter((_, place) => !held.has(groups[place])),
    validation: examples.filter((_, place) => held.has(groups[place])),
  };
}
