/** How a run's policy was trained and what it learned from, in the words that reports, comparisons, notebooks and tables of runs share. */

import { namedLoss } from '../dpo/losses/named.js';
import type { Parameters } from './parameters.js';

/** What stands in the place of a reward's name where a run had none. */
export const GIVEN_PAIRS = 'given pairs';

/** "by the reward even-token", or "on given pairs": goes on after `methodOf`, "trained" or a number of iterations. */
export function taughtBy(rewardName: string | undefined): string {
  return rewardName === undefined ? `on ${GIVEN_PAIRS}` : `by the reward ${rewardName}`;
}

/** "DPO", "supervised training", or "training with the loss simpo + 0.05 sft". */
export function methodOf(parameters: Parameters): string {
  if (parameters.loss === 'sigmoid') return 'DPO';
  if (isSupervised(parameters)) return 'supervised training';
  return `training with the loss ${namedLoss(parameters).name}`;
}

/** Whether chosen samples alone are learned from. */
export const isSupervised = ({ loss }: Pick<Parameters, 'loss'>): boolean => loss === 'sft';
