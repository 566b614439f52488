/** What a run's policy learned from, in the words that reports, comparisons, notebooks and tables of runs share. */

/** What stands in the place of a reward's name where a run had none. */
export const GIVEN_PAIRS = 'given pairs';

/** "by the reward even-token", or "on given pairs": goes on after "DPO", "trained" or a number of iterations. */
export function taughtBy(rewardName: string | undefined): string {
  return rewardName === undefined ? `on ${GIVEN_PAIRS}` : `by the reward ${rewardName}`;
}
