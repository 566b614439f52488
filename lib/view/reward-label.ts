import type { Parameters } from '../run/parameters.js';
import { evenTokenReward } from '../reward/even-token.js';
import { lengthReward } from '../reward/length.js';
import { OPINION_LABELS } from '../scoring/opinion.js';

/** What a run's rewards are called on axes: "even tokens (0 to 5)". */
export function rewardLabel({ reward, rewardModel }: Pick<Parameters, 'reward' | 'rewardModel'>): string {
  return reward === 'mos'
    ? OPINION_LABELS[rewardModel]
    : { 'even-token': evenTokenReward, length: lengthReward }[reward].label;
}
