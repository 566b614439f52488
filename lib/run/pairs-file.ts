import { columns, isObject, numbers, parseDataFile, readPairsJson, type PreferenceRow } from './data-file.js';
import { holdsVotes, parseVotes, votedPairs } from './votes-file.js';

/** The pairs of a file, and sentences on what in it is not read or makes none, and on pairs that hardly anybody means. */
export interface PairsFile {
  rows: PreferenceRow[];
  notices: string[];
}

/**
 * Reads preference pairs of a data_iter_k.json, of a data set of prompt, chosen and rejected alone, or of what a blind-listening page exported.
 *
 * @throws Error in one sentence naming the file when it is neither, makes no pair, or prefers nothing in any pair
 */
export async function readPairsFile(path: string): Promise<PairsFile> {
  const content = await readPairsJson(path);
  if (!holdsVotes(content)) {
    const { rows, isRated, notices } = parseGivenPairs(content, path);
    if (rows.length === 0) throw new Error(`${path} holds no preference pairs`);
    const unrated = isRated
      ? []
      : [`${path} has no rewards: chosen completions count as 1, rejected ones as 0, as after votes`];
    return { rows, notices: [...notices, ...unrated, ...describeDoubts(rows, path)] };
  }
  const file = parseVotes(content, path);
  const rows = votedPairs(file);
  const count = (choice: string) => file.votes.filter((vote) => vote.choice === choice).length;
  const others = `"no difference": ${count('no difference')}, "both bad": ${count('both bad')}`;
  if (rows.length === 0)
    throw new Error(
      `${path} holds no preference pairs: none of its ${file.votes.length} votes is for a side (${others})`,
    );
  const votes = `${file.votes.length} votes on ${file.pairs} pairs`;
  return {
    rows,
    notices: [
      `${path}: ${votes} make ${rows.length} pairs to train on (${others}, which make none)`,
      ...describeDoubts(rows, path),
    ],
  };
}

const REWARDS = { chosen_rewards: 1, rejected_rewards: 0, average_rewards: 0.5 };

/**
 * The preference pairs of a file that holds no votes, and a sentence naming the columns that are not read.
 *
 * @throws Error in one sentence naming the file when it holds none
 */
export function parseGivenPairs(content: unknown, path: string): PairsFile & { isRated: boolean } {
  const given = givenColumns(content, path);
  const rated = withRewards(given);
  const rows = parseDataFile(rated, path);
  return { rows, isRated: rated === given, notices: describeLeftOut(content, given, path) };
}

/** Columns without those that other programs read, such as each row's id or speaker: further ones of anything but numbers. */
function givenColumns(content: unknown, path: string): unknown {
  if (!isObject(content)) return content;
  if (!('chosen' in content) && 'completion' in content && 'label' in content)
    throw new Error(
      `${path} holds single samples, as TRL's KTO takes them (prompt, completion, label), and pairs are needed: rows of prompt, chosen and rejected, of which the loss kto takes each side on its own; single samples are taken only by the library, by trainDpo with ktoLoss (docs/trl.md)`,
    );
  const kept = Object.entries(content).filter(
    ([name, column]) => Object.hasOwn(columns, name) || numbers.safeParse(column).success,
  );
  return Object.fromEntries(kept);
}

function describeLeftOut(content: unknown, given: unknown, path: string): string[] {
  if (!isObject(content) || !isObject(given)) return [];
  const names = Object.keys(content).filter((name) => !Object.hasOwn(given, name));
  if (names.length === 0) return [];
  const which = names.length === 1 ? `the column ${names[0]} is` : `the columns ${names.join(', ')} are`;
  return [`${path}: ${which} left out: beside prompt, chosen and rejected only columns of numbers are read`];
}

/** Columns of preferences alone, as TRL's data sets have them, with the rewards of a vote; anything else, even part of the rewards, as it is. */
function withRewards(content: unknown): unknown {
  if (!isObject(content)) return content;
  const { prompt } = content;
  if (!Array.isArray(prompt) || Object.keys(REWARDS).some((name) => name in content)) return content;
  const added = Object.entries(REWARDS).map(([name, value]) => [name, prompt.map(() => value)] as const);
  return { ...content, ...Object.fromEntries(added) };
}

/** Pairs that can be trained on, but teach something else than a person who wrote them would expect. */
function describeDoubts(rows: readonly PreferenceRow[], path: string): string[] {
  const keys = rows.map((row) => keyOf(row, row.chosen, row.rejected));
  const isEqual = rows.map(({ chosen, rejected }) => String(chosen) === String(rejected));
  if (isEqual.every(Boolean))
    throw new Error(`${path}: chosen and rejected are the same completion in every pair; they must differ`);
  const seen = new Set<string>();
  const isRepeated = keys.map((key) => seen.size === seen.add(key).size);
  const isReversed = rows.map(
    (row, i) => !isEqual[i] && !isRepeated[i] && seen.has(keyOf(row, row.rejected, row.chosen)),
  );
  const doubts: [found: boolean[], what: string][] = [
    [isEqual, 'chosen and rejected are the same completion, so that nothing is preferred'],
    [rows.map(({ chosen }) => chosen.length === 0), 'chosen is empty: the policy learns to write nothing'],
    [isRepeated, 'the pair stands before in the file: it counts as often as it is there'],
    [isReversed, 'another pair of the file has chosen and rejected the other way round'],
  ];
  return doubts.flatMap(([found, what]) => {
    const count = found.filter(Boolean).length;
    if (count === 0) return [];
    return [
      `${path}: in ${count} of ${rows.length} pairs (the first is pair ${found.indexOf(true)}) ${what}`,
    ];
  });
}

/** Equal for pairs of the same prompt and completions. */
function keyOf({ instruction, source }: PreferenceRow, ...completions: number[][]): string {
  return JSON.stringify([instruction, source, ...completions]);
}
