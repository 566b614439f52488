/** The parameters that say what samples are ranked by. */
import { z } from 'zod';
import { sentenceOf } from '../plain-error.js';
import { rewardNameSchema } from '../reward/check.js';
import { checkCombination, combinationNames, partNames, type Combination } from '../reward/combination.js';
import { opinionModels } from '../scoring/opinion.js';

/** "2,1" */
const numbers = z
  .string()
  .refine(
    (text) => text.split(',').every((each) => each.trim() !== '' && Number.isFinite(Number(each))),
    'expected numbers with commas between them, for example 2,1',
  )
  .nullable()
  .default(null);

export const rewardFields = {
  reward: rewardNameSchema
    .default('even-token')
    .describe(
      'what samples are ranked by: even-token, length, mos, naturalness, similarity, repetition, silence, wer, cer or the name of a reward of your own; several with + between them',
    ),
  rewardModel: z
    .enum(opinionModels)
    .default('nisqa')
    .describe(
      'mos only: network whose opinion score of the audio is the reward, nisqa, dnsmos or nisqa-mos-only',
    ),
  combine: z
    .enum(combinationNames)
    .default('weighted')
    .describe(
      'how several rewards become one: by their weighted sum, by the first one and where that is equal by the next, or by their harmonic mean',
    ),
  rewardWeights: numbers.describe(
    'weights of several rewards in a weighted sum or a harmonic mean, for example 2,1; each 1 unless given',
  ),
  rewardSteps: numbers.describe(
    'lexicographic only: a step for each reward, by which values are equal that round to the same multiple of it, for example 0.1,0; each 0 unless given',
  ),
  normalizeRewards: z
    .boolean()
    .default(false)
    .describe("rank a prompt's samples by each of several rewards' z-scores among them"),
};

type RewardParameters = z.infer<z.ZodObject<typeof rewardFields>>;

/** The parameters that name rewards. */
export type NamedParameters = Pick<RewardParameters, 'reward' | 'rewardModel'> &
  Partial<Pick<RewardParameters, keyof typeof ONE_REWARD>> & { transcriber?: string | null };

/** How the rewards that the parameters name are combined; undefined where they name one. */
export function namedCombination(parameters: NamedParameters): Combination | undefined {
  const { reward, rewardWeights, rewardSteps, ...named } = { ...ONE_REWARD, ...parameters };
  if (partNames(reward).length === 1) return undefined;
  return {
    how: named.combine,
    ...(rewardWeights !== null && { weights: rewardWeights.split(',').map(Number) }),
    ...(rewardSteps !== null && { steps: rewardSteps.split(',').map(Number) }),
    normalize: named.normalizeRewards,
  };
}

/** The parameters under which a combination is recorded. */
export function combinationParameters({ how, weights, steps, normalize = false }: Combination) {
  return {
    combine: how,
    rewardWeights: weights?.join(',') ?? null,
    rewardSteps: steps?.join(',') ?? null,
    normalizeRewards: normalize,
  };
}

/** What goes with several rewards only, as it is with one. */
export const ONE_REWARD = {
  combine: 'weighted',
  rewardWeights: null,
  rewardSteps: null,
  normalizeRewards: false,
} as const satisfies Partial<RewardParameters>;

/** @throws Error in one sentence for a combination that does not fit the rewards */
export function checkRewards(parameters: RewardParameters): void {
  const { reward } = parameters;
  const combination = namedCombination(parameters);
  if (combination) {
    try {
      checkCombination(combination, partNames(reward).length);
    } catch (error) {
      throw new Error(`wrong parameters: ${sentenceOf(error)}`, { cause: error });
    }
    return;
  }
  const names = Object.keys(ONE_REWARD) as (keyof typeof ONE_REWARD)[];
  const given = names.filter((name) => parameters[name] !== ONE_REWARD[name]);
  if (given.length > 0)
    throw new Error(
      `wrong parameters: ${given.join(' and ')} ${given.length === 1 ? 'goes' : 'go'} with several rewards, and ${reward} is one`,
    );
}
