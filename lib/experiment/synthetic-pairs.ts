import { uniformStream } from '../random.js';
import { countEvenTokens } from '../reward/even-token.js';
import { formatTokens, type PreferenceRow } from '../run/data-file.js';
import type { PackedPrompt } from './packed-prompt.js';

const SHORTEST_CHARACTERS = 50;
const LONGEST_CHARACTERS = 1024;

/**
 * The research code's made-up pairs for the even-token reward: for each prompt a random string of even tokens is chosen and one of odd tokens
 * rejected. As in the research code a string's length is drawn in characters (50 to 1024), not in tokens.
 *
 * @param codebookSize codes are drawn below it; at least 2
 */
export function makeSyntheticPairs(
  prompts: readonly PackedPrompt[],
  codebookSize: number,
  seed: number,
): PreferenceRow[] {
  const uniform = uniformStream(seed);
  const drawCodes = (remainder: 0 | 1) => {
    const characters =
      SHORTEST_CHARACTERS + Math.floor(uniform() * (LONGEST_CHARACTERS - SHORTEST_CHARACTERS + 1));
    const choices = Math.floor((codebookSize + 1 - remainder) / 2);
    const codes: number[] = [];
    for (let used = 0; ;) {
      const code = 2 * Math.floor(uniform() * choices) + remainder;
      used += formatTokens([code]).length;
      if (used > characters) return codes;
      codes.push(code);
    }
  };
  return prompts.map(({ item }) => {
    const chosen = drawCodes(0);
    const rejected = drawCodes(1);
    return {
      instruction: item.instruction,
      source: item.src_encodec[0],
      chosen,
      rejected,
      chosenReward: 5,
      rejectedReward: 0,
      averageReward: 2.5,
      details: {
        chosen_even_percents: 1,
        chosen_even_totals: countEvenTokens(chosen).total,
        rejected_even_percents: 0,
        rejected_even_totals: 0,
      },
    };
  });
}
