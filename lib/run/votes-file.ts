import { z } from 'zod';
import { readJsonFile } from '../checkpoint/json-file.js';
import { HALF_CHARACTER, isWholeText } from '../checkpoint/text-file.js';
import { describeIssues } from '../zod-message.js';
import type { PreferenceRow } from './data-file.js';

/** What a votes file says that it is. */
export const VOTES_FORMAT = 'speech-dpo votes, version 1';

/** What a listener may say of a pair. */
const voteChoices = ['left', 'right', 'no difference', 'both bad'] as const;

const codes = z.array(z.number().int().min(0)).min(1);
const system = z.string().min(1);
const sideSchema = z.strictObject({
  /** Who made the sample: "chosen", "trained", a run's name. */
  system,
  /** Of codebook 0. */
  codes,
});

const voteSchema = z
  .strictObject({
    /** The pair's place on the page, from 0 on. */
    pair: z.number().int().min(0),
    instruction: z.string().refine(isWholeText, { message: `the instruction ${HALF_CHARACTER}` }),
    /** Codebook 0 of the source recording. */
    source: codes,
    left: sideSchema,
    right: sideSchema,
    choice: z.enum(voteChoices),
  })
  .refine(({ left, right }) => left.system !== right.system, { message: 'both sides are of one system' });

const votesFileSchema = z
  .strictObject({
    format: z.literal(VOTES_FORMAT),
    /** Id of the page that was listened to. */
    page: z.string().min(1),
    /** Drawn by the listener's browser: two files with one id are one listener's. */
    listener: z.string().min(1),
    /** ISO 8601. */
    exportedAt: z.string(),
    /** On the page; there are fewer votes where the listener has not come to its end. */
    pairs: z.number().int().min(1),
    /** The two that the page compares. */
    systems: z.tuple([system, system]),
    votes: z.array(voteSchema),
  })
  .refine(({ votes }) => new Set(votes.map(({ pair }) => pair)).size === votes.length, {
    message: 'two votes are of one pair',
  })
  .refine(
    ({ votes, systems }) =>
      votes.every(({ left, right }) => systems.includes(left.system) && systems.includes(right.system)),
    { message: 'a vote is of other systems than the page compares' },
  );

/** What a blind-listening page exports: one listener's votes, each with all that it takes to train on it. */
export type VotesFile = z.infer<typeof votesFileSchema>;

/** Whether a parsed JSON file says that it holds votes, of whatever version. */
export function holdsVotes(content: unknown): boolean {
  if (typeof content !== 'object' || content === null || !('format' in content)) return false;
  return typeof content.format === 'string' && content.format.startsWith('speech-dpo votes');
}

/**
 * Checks the content of a votes file.
 *
 * @param path names it in messages
 * @throws Error in one sentence that says what is wrong
 */
export function parseVotes(content: unknown, path: string): VotesFile {
  if (!holdsVotes(content))
    throw new Error(`${path} holds no votes: give a file that the page of speech-dpo listen exported`);
  const result = votesFileSchema.safeParse(content);
  if (!result.success) throw new Error(`${path}: ${describeIssues(result.error)}`);
  return result.data;
}

/** Reads a votes file; see {@link parseVotes}. */
export async function readVotesFile(path: string): Promise<VotesFile> {
  return parseVotes(await readJsonFile(path), path);
}

/**
 * The preference pairs that votes make: the side that was voted for is chosen, the other one rejected, with the rewards 1 and 0. "No
 * difference" and "both bad" make none, since neither side is to be learned.
 */
export function votedPairs({ votes }: VotesFile): PreferenceRow[] {
  return votes.flatMap(({ instruction, source, left, right, choice }) => {
    if (choice !== 'left' && choice !== 'right') return [];
    const [chosen, rejected] = choice === 'left' ? [left, right] : [right, left];
    return {
      instruction,
      source,
      chosen: chosen.codes,
      rejected: rejected.codes,
      chosenReward: 1,
      rejectedReward: 0,
      averageReward: 0.5,
      details: {},
    };
  });
}
