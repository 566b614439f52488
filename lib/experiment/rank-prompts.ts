import type { Reward } from '../reward/reward.js';
import type { ScoredCompletion } from './scored-completion.js';

/**
 * The completions with the ranks that the reward gives a prompt's samples together, where it does ({@link Reward.rankPrompt}).
 *
 * @param scored `scored[i][sampleIndex]` of the ith prompt
 * @throws Error when it gives other than a finite rank for each
 */
export function rankPrompts(
  { name, rankPrompt }: Reward,
  scored: readonly ScoredCompletion[][],
): ScoredCompletion[][] {
  if (!rankPrompt) return [...scored];
  return scored.map((completions) => {
    const rewarded = completions.filter((completion) => completion.reward !== null);
    const ranks = rankPrompt(rewarded);
    if (ranks.length !== rewarded.length || !ranks.every(Number.isFinite))
      throw new Error(
        `the ${name} reward ranks ${rewarded.length} samples of a prompt by ${JSON.stringify(ranks)}: it must give a finite number for each`,
      );
    const rankOf = new Map<ScoredCompletion, number>(rewarded.map((each, i) => [each, ranks[i]]));
    return completions.map((each) => (each.reward === null ? each : { ...each, rank: rankOf.get(each)! }));
  });
}
