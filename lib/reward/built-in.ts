/** The rewards that a name is enough for. */
import type { Device } from '../engine/index.js';
import type { OnNotice } from '../notice.js';
import { OPINION_LABELS, openOpinionScorer, type OpinionModel } from '../scoring/opinion.js';
import { evenTokenReward } from './even-token.js';
import { lengthReward } from './length.js';
import { mosReward } from './mos.js';
import type { Reward } from './reward.js';
import { isWordReward, WORD_REWARD_LABELS, wordReward, wordRewards } from './words.js';
import type { Decoder, Transcribe } from './spoken-words.js';

/** Those that have a command and settings of their own. */
export const experimentNames = ['even-token', 'length', 'mos'] as const;
export type ExperimentName = (typeof experimentNames)[number];

export const rewardNames = [...experimentNames, ...wordRewards] as const;
/** The rewards that come with the package. */
export type RewardName = (typeof rewardNames)[number];

export function isExperiment(name: string): name is ExperimentName {
  return experimentNames.some((each) => each === name);
}

export function isBuiltIn(name: string): name is RewardName {
  return rewardNames.some((each) => each === name);
}

/** Which reward, and of `mos` by which network. */
interface NamedReward {
  reward: string;
  rewardModel: OpinionModel;
}

/** What the rewards of a name are called on axes: "even tokens (0 to 5)". Of one that is not built in, the name. */
export function rewardLabel({ reward, rewardModel }: NamedReward): string {
  if (!isBuiltIn(reward)) return reward;
  if (reward === 'mos') return OPINION_LABELS[rewardModel];
  if (isWordReward(reward)) return WORD_REWARD_LABELS[reward];
  return { 'even-token': evenTokenReward, length: lengthReward }[reward].label;
}

/** What built-in rewards are opened with. */
export interface BuiltInOptions {
  /** Runs the network of `mos`. */
  device: Device;
  /** Opens the recognizer of `wer` and `cer`. */
  recognizer: () => Promise<Transcribe>;
  /** Makes sources audible for them, where the dataset has no text. */
  codec: () => Decoder;
  onNotice?: OnNotice;
}

/**
 * The built-in reward of a name.
 *
 * @throws Error when its network or recognizer is not at hand, saying how to provide it, and for a name that is not built in
 */
export async function openBuiltIn(
  { reward, rewardModel }: NamedReward,
  { device, recognizer, codec, onNotice }: BuiltInOptions,
): Promise<Reward> {
  if (!isBuiltIn(reward)) throw new Error(`${noSuchReward(reward)}.`);
  if (reward === 'mos') return mosReward(await openOpinionScorer(rewardModel, { device, onNotice }));
  if (isWordReward(reward)) return wordReward(reward, await recognizer(), codec);
  return { 'even-token': evenTokenReward, length: lengthReward }[reward];
}

/** A sentence about what a reward can be, without its full stop. */
export function noSuchReward(name: string): string {
  return (
    `there is no reward "${name}": built in are ${rewardNames.join(', ')}; one of your own is given as an object, ` +
    'or on the command line as a file (./my-reward.mjs) or an address (http://...)'
  );
}
