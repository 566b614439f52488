import type { Parameters } from '../experiment/parameters.js';
import { evenToken } from '../reward/even-token.js';
import { length } from '../reward/length.js';
import { OPINION_LABELS } from '../scoring/opinion.js';

/** What a run's rewards are called on axes: "even tokens (0 to 5)". */
export function rewardLabel({ reward, rewardModel }: Pick<Parameters, 'reward' | 'rewardModel'>): string {
  return reward === 'mos' ? OPINION_LABELS[rewardModel] : { 'even-token': evenToken, length }[reward].label;
}
