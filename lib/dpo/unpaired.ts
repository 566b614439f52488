/** Samples that stand alone, each judged desirable or not: what KTO is trained on. */
import { groupBy } from '../group-by.js';
import type { PreferencePair } from './batch.js';
import type { PreferenceLoss } from './preference-loss.js';

/** Packed token ids of one completion of a prompt. */
export interface UnpairedSample {
  prompt: number[];
  completion: number[];
  desirable: boolean;
}

/** What is learned from. */
export type Example = PreferencePair | UnpairedSample;

/**
 * Each example as the pairs that a batch with it computes: the pair itself; for a loss of single samples (`isUnpaired`) those of
 * {@link withMismatched}, two for a pair and one for a sample.
 *
 * @throws Error where a sample stands alone and the loss compares two completions, and as `withMismatched` does
 */
export function examplesAsPairs(
  examples: readonly Example[],
  { name, isUnpaired }: Pick<PreferenceLoss, 'name' | 'isUnpaired'>,
): PreferencePair[][] {
  if (isUnpaired) {
    const samples = examples.map((example) => ('chosen' in example ? unpair([example]) : [example]));
    const mismatched = withMismatched(samples.flat());
    return samples.map(({ length }) => mismatched.splice(0, length));
  }
  return examples.map((example, index) => {
    if ('chosen' in example) return [example];
    throw new Error(
      `the loss "${name}" compares two completions of a prompt, and example ${index} is a single sample; the loss kto takes those`,
    );
  });
}

/** Either side of pairs on its own (TRL's unpair_preference_dataset): chosen completions are desirable, rejected ones are not. */
export function unpair(pairs: readonly PreferencePair[]): UnpairedSample[] {
  return pairs.flatMap(({ prompt, chosen, rejected }) => [
    { prompt, completion: chosen, desirable: true },
    { prompt, completion: rejected, desirable: false },
  ]);
}

/**
 * Samples as `ktoLoss` reads them: with each a completion of another prompt, by which it estimates how far the policy is from the reference.
 * The first sample of a prompt has the first one of the next prompt, the second sample the second one, and so on, round and round: all
 * completions count about equally, desirable or not, as under TRL, which gives each sample the completion of another one.
 *
 * @throws Error where a sample is not judged, or all are of one prompt
 */
export function withMismatched(samples: readonly UnpairedSample[]): PreferencePair[] {
  const unjudged = samples.findIndex(({ desirable }) => typeof desirable !== 'boolean');
  if (unjudged >= 0)
    throw new Error(`sample ${unjudged} must say desirable: true or false, which TRL calls its label`);
  const ofPrompts = [...groupBy(samples.keys(), (index) => String(samples[index].prompt)).values()];
  if (ofPrompts.length < 2)
    throw new Error(
      'kto compares with completions of other prompts, and all samples are of one prompt: give it samples of two prompts at least',
    );
  const mismatched: number[][] = [];
  for (const [i, ofPrompt] of ofPrompts.entries()) {
    const next = ofPrompts[(i + 1) % ofPrompts.length];
    for (const [place, index] of ofPrompt.entries())
      mismatched[index] = samples[next[place % next.length]].completion;
  }
  return samples.map(({ prompt, completion, desirable }, index) => ({
    prompt,
    chosen: completion,
    rejected: mismatched[index],
    rewards: { chosen: Number(desirable), rejected: 0 },
  }));
}
