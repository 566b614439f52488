/** The rewards that a name is enough for. */
import type { Device } from '../engine/index.js';
import type { OnNotice } from '../notice.js';
import type { ScoringNetwork } from '../scoring/networks.js';
import { OPINION_LABELS, openOpinionScorer, opinionModels, type OpinionModel } from '../scoring/opinion.js';
import { loadVoiceEncoder } from '../scoring/voice-encoder.js';
import { partNames } from './combination.js';
import type { Decoder } from './decoder.js';
import { evenTokenReward } from './even-token.js';
import { lengthReward } from './length.js';
import { mosReward, naturalnessReward } from './mos.js';
import { repetitionReward } from './repetition.js';
import type { Reward } from './reward.js';
import { silenceReward } from './silence.js';
import { SIMILARITY_LABEL, similarityReward } from './similarity.js';
import type { Transcribe } from './spoken-words.js';
import { isWordReward, WORD_REWARD_LABELS, wordReward, wordRewards } from './words.js';

/** Those that have a command and settings of their own. */
export const experimentNames = ['even-token', 'length', 'mos'] as const;
export type ExperimentName = (typeof experimentNames)[number];

/** Those that need no network. */
const PLAIN = {
  'even-token': evenTokenReward,
  length: lengthReward,
  repetition: repetitionReward,
  silence: silenceReward,
} as const;

export const rewardNames = [
  ...experimentNames,
  'naturalness',
  'similarity',
  'repetition',
  'silence',
  ...wordRewards,
] as const;
/** The rewards that come with the package. */
export type RewardName = (typeof rewardNames)[number];

export function isBuiltIn(name: string): name is RewardName {
  return rewardNames.some((each) => each === name);
}

/** Whether a reward is one of the package's own, and not merely called as one. */
export function isPlainBuiltIn(reward: Reward): boolean {
  return Object.values(PLAIN).some((each) => each === reward);
}
const isOpinionModel = (name: string): name is OpinionModel => opinionModels.some((model) => model === name);

/** The names that are enough to open a reward: of built-in ones, and of networks whose opinion score it is. */
export const namesEnough: readonly string[] = [...rewardNames, ...opinionModels];
/** Whether a name is one of them. */
export const isNameEnough = (name: string): boolean => namesEnough.includes(name);

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
  if (reward === 'naturalness') return OPINION_LABELS[reward];
  if (reward === 'similarity') return SIMILARITY_LABEL;
  if (isWordReward(reward)) return WORD_REWARD_LABELS[reward];
  return PLAIN[reward].label;
}

/** The networks that the named rewards are computed by: of one name, or of several with + between them. */
export function networksOf({ reward, rewardModel }: NamedReward): ScoringNetwork[] {
  return partNames(reward).flatMap((name): ScoringNetwork[] => {
    if (name === 'mos') return [rewardModel];
    return isOpinionModel(name) || name === 'naturalness' || name === 'similarity' ? [name] : [];
  });
}

/** Whether one of the named rewards is of the words that a recognizer hears. */
export const hearsWords = (reward: string): boolean => partNames(reward).some(isWordReward);

/** What built-in rewards are opened with. */
export interface BuiltInOptions {
  /** Runs their networks. */
  device: Device;
  /** Opens the recognizer of `wer` and `cer`. */
  recognizer: () => Promise<Transcribe>;
  /** Makes sources audible, once the first sample comes. */
  codec: () => Decoder;
  /** Is told of downloads. */
  onNotice?: OnNotice;
}

/**
 * The built-in reward of a name. By the names `nisqa` and `dnsmos`, too, their opinion scores are had, so that a combination can hold both.
 *
 * @throws Error when its network or recognizer is not at hand, saying how to provide it, and for a name that is not built in
 */
export async function openBuiltIn(
  { reward, rewardModel }: NamedReward,
  { device, recognizer, codec, onNotice }: BuiltInOptions,
): Promise<Reward> {
  if (isOpinionModel(reward))
    return { ...mosReward(await openOpinionScorer(reward, { device, onNotice })), name: reward };
  if (!isBuiltIn(reward)) throw new Error(`${noSuchReward(reward)}.`);
  const options = { device, onNotice };
  if (reward === 'mos') return mosReward(await openOpinionScorer(rewardModel, options));
  if (reward === 'naturalness') return naturalnessReward(await openOpinionScorer(reward, options));
  if (reward === 'similarity') return similarityReward(await loadVoiceEncoder(undefined, options), codec);
  if (isWordReward(reward)) return wordReward(reward, await recognizer(), codec);
  return PLAIN[reward];
}

/** A sentence about what a reward can be, without its full stop. */
export function noSuchReward(name: string): string {
  return (
    `there is no reward "${name}": built in are ${namesEnough.join(', ')}; one of your own is given as an object, ` +
    'or on the command line as a file (./my-reward.mjs) or an address (http://...)'
  );
}
