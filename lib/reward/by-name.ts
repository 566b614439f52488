/** The rewards that a run's parameters name: built-in ones, a person's own, or several combined. */
import type { OpinionModel } from '../scoring/opinion.js';
import { isPlainBuiltIn, openBuiltIn, type BuiltInOptions } from './built-in.js';
import { combine } from './combine.js';
import { partNames, type Combination } from './combination.js';
import type { Reward } from './reward.js';

/** Rewards by name. */
export interface NamedRewards {
  /** One name, or several with + between them. */
  reward: string;
  rewardModel: OpinionModel;
  /** How several are combined. */
  combination?: Combination;
}

const opened = new WeakSet<Reward>();

/** Whether a name is enough to have the very same reward elsewhere. */
export const isOpenedByName = (reward: Reward): boolean => isPlainBuiltIn(reward) || opened.has(reward);

/**
 * Opens rewards by name.
 *
 * @param options.own a person's own ones, which come before built-in ones of the same name
 * @throws Error in one sentence for a name that there is no reward of, or a network or recognizer that is not at hand
 */
export async function openByName(
  { reward: names, rewardModel, combination }: NamedRewards,
  { own = [], ...options }: BuiltInOptions & { own?: readonly Reward[] },
): Promise<Reward> {
  const parts: Reward[] = [];
  for (const name of partNames(names)) {
    const given = own.find((each) => each.name === name);
    const part = given ?? (await openBuiltIn({ reward: name, rewardModel }, options));
    if (!given) opened.add(part);
    parts.push(part);
  }
  const unused = own.find((each) => !parts.some(({ name }) => name === each.name));
  if (unused) throw new Error(`the reward ${unused.name} is given, but not named: ${names} is`);
  return combination ? combine(parts, combination) : parts[0];
}
