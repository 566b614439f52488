import { askRanks } from '../reward/ask.js';
import type { Reward } from '../reward/reward.js';
import type { ScoredCompletion } from './scored-completion.js';

/**
 * The completions with the ranks that the reward gives a prompt's samples together, where it does ({@link Reward.rankPrompt}).
 *
 * @param scored `scored[i][sampleIndex]` of the ith prompt
 * @throws Error as `askRanks` does
 */
export function rankPrompts(reward: Reward, scored: readonly ScoredCompletion[][]): ScoredCompletion[][] {
  return scored.map((completions) => {
    const rewarded = completions.filter((completion) => completion.reward !== null);
    const ranks = askRanks(reward, rewarded);
    if (!ranks) return completions;
    const rankOf = new Map<ScoredCompletion, number>(rewarded.map((each, i) => [each, ranks[i]]));
    return completions.map((each) => (each.reward === null ? each : { ...each, rank: rankOf.get(each)! }));
  });
}
