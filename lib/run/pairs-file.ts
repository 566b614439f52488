import { parseDataFile, readPairsJson, type PreferenceRow } from './data-file.js';
import { holdsVotes, parseVotes, votedPairs } from './votes-file.js';

/** The pairs of a file, and a sentence on what in it makes none. */
export interface PairsFile {
  rows: PreferenceRow[];
  notice?: string;
}

/**
 * Reads preference pairs of a data_iter_k.json, or of what a blind-listening page exported.
 *
 * @throws Error in one sentence naming the file when it is neither, or makes no pair
 */
export async function readPairsFile(path: string): Promise<PairsFile> {
  const content = await readPairsJson(path);
  if (!holdsVotes(content)) {
    const rows = parseDataFile(content, path);
    if (rows.length === 0) throw new Error(`${path} holds no preference pairs`);
    return { rows };
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
    notice: `${path}: ${votes} make ${rows.length} pairs to train on (${others}, which make none)`,
  };
}
