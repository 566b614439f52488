import { z } from 'zod';
import { describeIssues } from '../zod-message.js';
import { isBuiltIn, isPlainBuiltIn, rewardNames } from './built-in.js';
import type { Reward } from './reward.js';

/** A reward's name: files are called after it. A combination has the names of its parts with "+" between them. */
export const rewardNameSchema = z
  .string()
  .regex(
    /^\w[\w.-]*(\+\w[\w.-]*)*$/,
    'it must be of letters, digits, ".", "_" and "-", since files are called after it',
  )
  .max(120);

const rewardSchema = z.looseObject(
  {
    name: rewardNameSchema,
    label: z.string().min(1, 'it is empty; charts name their axis by it'),
    listens: z.boolean().optional(),
    score: z.custom((value) => typeof value === 'function', 'it must be a function of samples'),
    check: z.custom((value) => typeof value === 'function', 'it must be a function').optional(),
    rankPrompt: z.custom((value) => typeof value === 'function', 'it must be a function').optional(),
  },
  'it must be an object { name, label, score }; of a function of one sample, rewardOf(name, label, FUNCTION) from speech-dpo makes one',
);

/**
 * Makes sure that a value is a reward of a person's own.
 *
 * @param what it is called in messages: "the default export of ./my-reward.mjs"
 * @throws Error in one sentence for another value, or a name that a built-in reward has
 */
export function checkReward(value: unknown, what = 'the reward'): Reward {
  const result = rewardSchema.safeParse(value);
  if (!result.success) throw new Error(`${what} is no reward: ${describeIssues(result.error)}`);
  const reward = value as Reward;
  if (isBuiltIn(reward.name) && !isPlainBuiltIn(reward))
    throw new Error(
      `${what} is called ${reward.name}, as a built-in reward is; the names ${rewardNames.join(', ')} are taken, choose another`,
    );
  return reward;
}
