/**
 * What a program gives to a run in place of what its parameters name (a codec, prompts, a sampler, a reward). It is in no file: a run that goes on is
 * given it again, and whoever works with the run's checkpoints later does without.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Codec } from '../codec/codec.js';
import type { Prompts } from '../data/prompts.js';
import type { Policy } from '../policy/policy.js';
import type { Sampler } from '../policy/sample.js';
import { isBuiltIn, isNameEnough } from '../reward/built-in.js';
import { checkReward } from '../reward/check.js';
import { partNames } from '../reward/combination.js';
import { combinationOf } from '../reward/combine.js';
import type { Guard } from '../reward/guard.js';
import type { Reward } from '../reward/reward.js';
import { parseParameters, type Parameters } from '../run/parameters.js';
import { combinationParameters, namedCombination, ONE_REWARD } from '../run/reward-parameters.js';
import { ownParts, type OwnPart, type RunRecord } from '../run/run-files.js';

/** What takes the place of what the parameters name. Codec, reward and guards stay open: whoever gives them closes them. */
export interface OwnParts {
  /** What samples are ranked by; the run is recorded under its name. */
  reward?: Reward;
  /** A person's own rewards that the parameters name, alone or, with + between the names, beside others. */
  rewards?: readonly Reward[];
  /** What is measured beside the reward. */
  guards?: readonly Guard[];
  /** Samples the run's policy, which is trained in place. */
  sampler?: (policy: Policy) => Sampler;
  codec?: Codec;
  prompts?: Prompts;
}

/** Which parts are given. A built-in reward is known by its name. */
export function listOwn(own: OwnParts): OwnPart[] {
  const { reward, rewards = [] } = own;
  const isReward = (reward !== undefined && !isBuiltIn(reward.name)) || rewards.length > 0;
  return ownParts.filter((part) => (part === 'reward' ? isReward : own[part] !== undefined));
}

/**
 * The parameters under the name of the reward that is given, if one is; of a combination, with how it combines.
 *
 * @throws Error in one sentence for what is no reward, or has a built-in one's name
 */
export function namedAfter(parameters: Parameters, reward: Reward | undefined): Parameters {
  if (!reward) return parameters;
  const { name } = checkReward(reward);
  const combined = combinationOf(reward);
  const how = combined ? combinationParameters(combined.combination) : ONE_REWARD;
  return parseParameters({ ...parameters, reward: name, ...how });
}

const PART_NAMES: Record<OwnPart, string> = {
  reward: 'a reward',
  guards: 'guards',
  sampler: 'a sampler',
  codec: 'a codec',
  prompts: 'prompts',
};

/**
 * @param names what it may be
 * @throws Error in one sentence for the name of a reward that the run is not scored by
 */
export function checkRewardNames(
  { run, parameters: { reward } }: RunRecord,
  given: readonly string[],
  names: readonly string[] = partNames(reward),
): void {
  const other = given.find((name) => !names.includes(name));
  if (other !== undefined)
    throw new Error(`run ${run} is scored by the reward ${reward}, not by ${other}: give it that one`);
}

/**
 * A run goes on with what it began with, or it would come to another end.
 *
 * @param named the run as it was named, and the command that goes on with it
 */
export function checkOwn(
  record: RunRecord,
  options: OwnParts,
  named: { directory: string; again: string },
): void {
  const { run, own = [] } = record;
  const given = listOwn(options);
  checkOwnReward(record, options, named);
  for (const part of ownParts) {
    if (own.includes(part) === given.includes(part)) continue;
    throw new Error(
      own.includes(part)
        ? `run ${run} began with ${PART_NAMES[part]} of its own: give the same again, as resumeExperiment(directory, { ${part} })`
        : `run ${run} began without ${PART_NAMES[part]} of its own, and goes on without`,
    );
  }
}

function checkOwnReward(
  record: RunRecord,
  { reward, rewards = [] }: OwnParts,
  { directory, again }: { directory: string; again: string },
): void {
  const { run, parameters, own = [] } = record;
  const began = parameters.reward;
  const names = reward ? [began] : partNames(began);
  const given = reward ? [reward.name] : rewards.map(({ name }) => name);
  checkRewardNames(record, given, names);
  const needed = own.includes('reward') ? names.filter((name) => !isNameEnough(name)) : [];
  if (needed.some((name) => !given.includes(name)))
    throw new Error(
      `run ${run} is scored by a reward of its own, ${began}; give it again: ${again} --reward FILE (or its address), in a notebook openRecorded('${directory}', { reward })`,
    );
  if (!isDeepStrictEqual(namedAfter(parameters, reward), parameters))
    throw new Error(
      `run ${run} combines ${began} otherwise: ${JSON.stringify(namedCombination(parameters))}; combine them as it began`,
    );
}

/** A run's name, and which parts it was given. */
export type OwnRecord = Pick<RunRecord, 'run' | 'own'>;

/**
 * Another codec would make other sound of the codes of a run that was given its own; so would others in place of other parts.
 *
 * @param instead what can be done, as the sentence's end
 */
export function refuseOwn({ run, own = [] }: OwnRecord, parts: readonly OwnPart[], instead = ''): void {
  const part = parts.find((each) => own.includes(each));
  if (part)
    throw new Error(
      `run ${run} was given its ${part} by the program that made it, so its samples cannot be made audible here${instead}`,
    );
}
