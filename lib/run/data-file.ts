import { readdir } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { parseJson } from '../checkpoint/json-file.js';
import { HALF_CHARACTER, isWholeText, readTextFile } from '../checkpoint/text-file.js';
import type { PreferencePair } from '../dpo/trainer.js';
import { sentenceOf } from '../plain-error.js';
import { packCompletion, packPrompt } from '../policy/pack.js';
import type { Policy } from '../policy/policy.js';
import { describeIssues } from '../zod-message.js';
import { placesOf } from './find-run.js';

/** One preference pair as data_iter_k.json keeps it: text and figures, a column each. */
export interface PreferenceRow {
  instruction: string;
  /** Codebook 0 of the source recording. */
  source: number[];
  chosen: number[];
  rejected: number[];
  chosenReward: number;
  rejectedReward: number;
  averageReward: number;
  /** Further columns of numbers, named in full: chosen_lengths, rejected_even_percents, ... */
  details: Record<string, number>;
}

/** What a further column holds. */
export const numbers = z.array(z.number());
/** The columns of every data file. */
export const columns = {
  prompt: z.array(z.string()),
  chosen: z.array(z.string()),
  rejected: z.array(z.string()),
  chosen_rewards: numbers,
  rejected_rewards: numbers,
  average_rewards: numbers,
};
const EXPECTED = `expected a list for each of ${Object.keys(columns).join(', ')}, or rows that have them`;
const fileSchema = z
  .object(columns, EXPECTED)
  .catchall(numbers)
  .superRefine((content, context) => {
    const count = content.prompt.length;
    const other = Object.entries(content).find(([, column]) => column.length !== count);
    if (other)
      context.addIssue(
        `the columns differ in length: prompt has ${count} rows, ${other[0]} has ${other[1].length}`,
      );
  });

/** The name of iteration k's data file. */
export function dataFileName(iteration: number): string {
  return `data_iter_${iteration}.json`;
}

/** The k of data_iter_k.json; undefined of another name. */
export function iterationOfDataFile(name: string): number | undefined {
  const [, k] = /^data_iter_(\d+)\.json$/.exec(name) ?? [];
  return k === undefined ? undefined : Number(k);
}

/** Writes the pairs of an iteration with the research code's keys, one array a key. */
export async function writeDataFile(
  directory: string,
  iteration: number,
  rows: readonly PreferenceRow[],
): Promise<void> {
  const detailNames = Object.keys(rows[0]?.details ?? {});
  const columns = {
    prompt: rows.map((row) => formatPrompt(row.instruction, row.source)),
    chosen: rows.map((row) => formatTokens(row.chosen)),
    rejected: rows.map((row) => formatTokens(row.rejected)),
    chosen_rewards: rows.map((row) => row.chosenReward),
    rejected_rewards: rows.map((row) => row.rejectedReward),
    average_rewards: rows.map((row) => row.averageReward),
    ...Object.fromEntries(detailNames.map((name) => [name, rows.map((row) => row.details[name])])),
  };
  const json = JSON.stringify(columns, null, 4) + '\n';
  await writeFileAtomic(join(directory, dataFileName(iteration)), json);
}

/**
 * Reads a data file back, this project's or the research code's; see {@link readPairsJson}.
 *
 * @throws Error naming the file when it is not JSON, lacks a column, or holds text that is no prompt or no token string
 */
export async function readDataFile(path: string): Promise<PreferenceRow[]> {
  return parseDataFile(await readPairsJson(path), path);
}

/**
 * The JSON of a file of pairs, whatever it holds; of rows, an array or JSON Lines of an object a pair, as TRL's data sets have them, the columns.
 *
 * @throws Error naming the file, and of JSON Lines the line, when it is no JSON; where a run is given in a file's place, naming its newest
 */
export async function readPairsJson(path: string): Promise<unknown> {
  const text = await readTextFile(path).catch(async (error: unknown) => {
    const newest = await newestDataFile(path);
    throw newest === undefined
      ? error
      : new Error(`${path} is no file of pairs: the newest there is ${newest}`);
  });
  const isLines = /^\s*\{.*\}\s*\n\s*\{/.test(text);
  const content = isLines ? parseLines(text, path) : parseJson(text, path);
  if (Array.isArray(content)) return columnsOf(content);
  // JSON Lines of one row.
  return isObject(content) && typeof content.prompt === 'string' ? columnsOf([content]) : content;
}

/** The data file of the last iteration, in a folder or of a run, by whatever a person names it; undefined where there is none. */
async function newestDataFile(given: string): Promise<string | undefined> {
  const folders = [resolve(given), ...placesOf(given).places.map(({ outputDirectory }) => outputDirectory)];
  for (const folder of folders) {
    const names = await readdir(folder).catch(() => []);
    const last = Math.max(...names.map((name) => iterationOfDataFile(name) ?? -1));
    const file = join(folder, dataFileName(last));
    if (last >= 0) return isAbsolute(given) ? file : relative('', file);
  }
  return undefined;
}

function parseLines(text: string, path: string): unknown[] {
  const lines = text.split('\n').map((line, index) => ({ line, where: `${path}: line ${index + 1}` }));
  return lines.filter(({ line }) => line.trim() !== '').map(({ line, where }) => parseJson(line, where));
}

/** The columns that the rows name; what a row lacks is undefined. */
function columnsOf(rows: readonly unknown[]): unknown {
  if (rows.length === 0 || !rows.every(isObject)) return rows;
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  return Object.fromEntries([...names].map((name) => [name, rows.map((row) => row[name])]));
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Checks the content of a data file, as {@link readDataFile} does.
 *
 * @param path names it in messages
 */
export function parseDataFile(content: unknown, path: string): PreferenceRow[] {
  const result = fileSchema.safeParse(content);
  if (!result.success) throw new Error(`${path}: ${describeIssues(result.error)}`);
  const { prompt, chosen, rejected, chosen_rewards, rejected_rewards, average_rewards, ...details } =
    result.data;
  const parse = <T>(column: string, row: number, text: string, parseText: (text: string) => T): T => {
    try {
      return parseText(text);
    } catch (error) {
      throw new Error(`${path}: ${column}[${row}]: ${sentenceOf(error)}`, { cause: error });
    }
  };
  return prompt.map((text, row) => ({
    ...parse('prompt', row, text, parsePrompt),
    chosen: parse('chosen', row, chosen[row], parseTokens),
    rejected: parse('rejected', row, rejected[row], parseTokens),
    chosenReward: chosen_rewards[row],
    rejectedReward: rejected_rewards[row],
    averageReward: average_rewards[row],
    details: Object.fromEntries(Object.entries(details).map(([name, column]) => [name, column[row]])),
  }));
}

/**
 * The rows as packed ids, ready for training.
 *
 * @param path names the file that the rows were read from in messages
 * @throws Error naming the pair that does not fit the policy, or has codes that its vocabulary lacks
 */
export function packPairs(policy: Policy, rows: readonly PreferenceRow[], path?: string): PreferencePair[] {
  return rows.map((row, index) => {
    try {
      return packPair(policy, packPrompt(policy, row.instruction, row.source), row);
    } catch (error) {
      throw new Error(`${path === undefined ? '' : `${path}: `}pair ${index}: ${sentenceOf(error)}`, {
        cause: error,
      });
    }
  });
}

/**
 * A row's pair, ready for training.
 *
 * @param prompt its packed ids
 * @throws Error when a completion is longer than the policy's positions
 */
export function packPair(
  policy: Policy,
  prompt: PreferencePair['prompt'],
  { chosen, rejected, chosenReward, rejectedReward }: PreferenceRow,
): PreferencePair {
  return {
    prompt,
    chosen: packCompletion(policy, chosen),
    rejected: packCompletion(policy, rejected),
    rewards: { chosen: chosenReward, rejected: rejectedReward },
  };
}

/** Codes as the tokenizer writes them: `v_tok_12v_tok_7`. */
export function formatTokens(codes: readonly number[]): string {
  return codes.map((code) => `v_tok_${code}`).join('');
}

/** The codes of a token string, with or without spaces between tokens. */
export function parseTokens(text: string): number[] {
  // A token's number has no zeros before it.
  if (!/^\s*(v_tok_(0|[1-9]\d*)\s*)*$/.test(text)) {
    throw new Error(`"${text.slice(0, 40)}" is not a token string like v_tok_12v_tok_7`);
  }
  return Array.from(text.matchAll(/v_tok_(\d+)/g), ([, digits]) => Number(digits));
}

/** A packed prompt as text: `<s>INSTRUCTION</s>v_tok_1v_tok_2</s>`. */
export function formatPrompt(instruction: string, source: readonly number[]): string {
  return `<s>${instruction}</s>${formatTokens(source)}</s>`;
}

/** Takes a prompt's text apart again; the reverse of `formatPrompt`. */
export function parsePrompt(text: string): { instruction: string; source: number[] } {
  const match = /^<s>(.*)<\/s>([^<]*)<\/s>$/s.exec(text);
  if (!match)
    throw new Error(`"${text.slice(0, 40)}" is not a prompt like <s>INSTRUCTION</s>v_tok_1v_tok_2</s>`);
  if (!isWholeText(match[1])) throw new Error(`the instruction ${HALF_CHARACTER}`);
  return { instruction: match[1], source: parseTokens(match[2]) };
}
