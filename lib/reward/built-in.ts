/** The rewards that a name is enough for. */
import type { Device } from '../engine/index.js';
import type { OnNotice } from '../notice.js';
import { OPINION_LABELS, openOpinionScorer, opinionModels, type OpinionModel } from '../scoring/opinion.js';
import { evenTokenReward } from './even-token.js';
import { lengthReward } from './length.js';
import { mosReward } from './mos.js';
import type { Reward } from './reward.js';

export const rewardNames = ['even-token', 'length', 'mos'] as const;
/** The rewards that come with the package. */
export type RewardName = (typeof rewardNames)[number];

export function isBuiltIn(name: string): name is RewardName {
  return rewardNames.some((each) => each === name);
}

const isOpinionModel = (name: string): name is OpinionModel => opinionModels.some((model) => model === name);

/** Whether a name is enough to open a reward: a built-in one's, or that of a network whose opinion score it is. */
export const isNameEnough = (name: string): boolean => isBuiltIn(name) || isOpinionModel(name);

/** Which reward, and of `mos` by which network. */
interface NamedReward {
  reward: string;
  rewardModel: OpinionModel;
}

/** What the rewards of a name are called on axes: "even tokens (0 to 5)". Of one that is not built in, the name. */
export function rewardLabel({ reward, rewardModel }: NamedReward): string {
  if (isOpinionModel(reward)) return OPINION_LABELS[reward];
  if (!isBuiltIn(reward)) return reward;
  if (reward === 'mos') return OPINION_LABELS[rewardModel];
  return { 'even-token': evenTokenReward, length: lengthReward }[reward].label;
}

/**
 * The built-in reward of a name. By the names `nisqa` and `dnsmos`, too, their opinion scores are had, so that a combination can hold both.
 *
 * @param device runs the network of an opinion score
 * @throws Error when that network is not at hand, saying how to provide it, and for a name that is not built in
 */
export async function openBuiltIn(
  { reward, rewardModel }: NamedReward,
  device: Device,
  onNotice?: OnNotice,
): Promise<Reward> {
  if (isOpinionModel(reward))
    return { ...mosReward(await openOpinionScorer(reward, { device, onNotice })), name: reward };
  if (!isBuiltIn(reward)) throw new Error(`${noSuchReward(reward)}.`);
  if (reward === 'mos') return mosReward(await openOpinionScorer(rewardModel, { device, onNotice }));
  return { 'even-token': evenTokenReward, length: lengthReward }[reward];
}

/** The networks whose opinion scores the named rewards are, one or several with + between them. */
export function opinionModelsOf({ reward, rewardModel }: NamedReward): OpinionModel[] {
  return reward
    .split('+')
    .map((name) => (name === 'mos' ? rewardModel : name))
    .filter(isOpinionModel);
}

/** A sentence about what a reward can be, without its full stop. */
export function noSuchReward(name: string): string {
  return (
    `there is no reward "${name}": built in are ${rewardNames.join(', ')}; one of your own is given as an object, ` +
    'or on the command line as a file (./my-reward.mjs) or an address (http://...)'
  );
}
