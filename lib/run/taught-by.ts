/** What a run's policy learned from, in the words that reports, comparisons, notebooks and tables of runs share. */

/** "even-token", or "given pairs" of a run that had no reward. */
export function teacherOf(rewardName: string | undefined): string {
  return rewardName ?? 'given pairs';
}

/** "by the reward even-token", or "on given pairs": goes on after "DPO", "trained" or a number of iterations. */
export function taughtBy(rewardName: string | undefined): string {
  return rewardName === undefined ? `on ${teacherOf(undefined)}` : `by the reward ${rewardName}`;
}
