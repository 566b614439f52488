import { writeComparison } from '../view/compare.js';
import {
  comparedGuards,
  comparedLogProbabilities,
  comparedRewards,
  comparedTraining,
} from '../view/compare/curves.js';
import { comparedFrontiers } from '../view/compare/frontiers.js';
import { comparisonNotes, readComparedRuns, type ComparedRun } from '../view/compare/runs.js';
import { SEEDS_NOTE, seedTable } from '../view/compare/seeds.js';
import { differenceTable, differingTable, resultTable } from '../view/compare/tables.js';
import { escapeHtml } from '../view/escape.js';
import type { Figure } from '../view/figure.js';
import { PAIRED_NOTE } from '../view/paired-change.js';
import type { Table } from '../view/table.js';
import { listenToRuns, type RunsChoice } from './listen.js';
import { runPath } from './run-path.js';
import type { Html, Showable } from './show.js';

/** Runs side by side, in parts to show. The others are compared with the first. */
export interface Comparison {
  runs: readonly ComparedRun[];
  /** What a reader has to know first: other rewards, other prompts, runs that have not finished; empty where there is nothing. */
  notes: string[];
  /** Held-out reward before and after, for every run. */
  results: Table;
  /** Last policies on the same prompts, paired. */
  differences: Table;
  /** The table over seeds, where runs differ in their seed alone, with what its intervals are. */
  seeds: Showable[];
  parameters: Table;
  rewards: Figure;
  /** Reward over the KL divergence from the original policy. */
  frontiers: Figure;
  guards: Figure;
  training: Figure;
  logProbabilities: Figure;
  /** What n, CI, d_z and win rate mean, and the notes. */
  explanation: Html;
  /** Players of the same held-out prompts. */
  listen(choice?: RunsChoice): Promise<Html>;
  /** Writes all of it as one page; returns its path. */
  write(path: string): Promise<string>;
}

/**
 * Compares runs in a notebook: `const { results, rewards } = await compare(['0601-1200', '0601-1300'])`.
 *
 * @param names of runs, `0601-1200` or `output/0601-1200`, finished or not; two or more
 * @param root folder with output/ and model_output/; default: the project, one folder above the notebooks
 * @throws Error in one sentence for fewer than two runs, one that is given twice, or a name that no run has
 */
export async function compare(names: readonly string[], root = '..'): Promise<Comparison> {
  const directories = names.map((name) => runPath(name, root));
  const runs = await readComparedRuns(directories);
  const notes = comparisonNotes(runs);
  const seeds = seedTable(runs);
  const sentences = [...notes, PAIRED_NOTE];
  return {
    runs,
    notes,
    results: resultTable(runs),
    differences: differenceTable(runs),
    seeds: seeds.rows.length > 0 ? [seeds, paragraphs([SEEDS_NOTE])] : [],
    parameters: differingTable(runs),
    rewards: comparedRewards(runs),
    frontiers: comparedFrontiers(runs),
    guards: comparedGuards(runs),
    training: comparedTraining(runs),
    logProbabilities: comparedLogProbabilities(runs),
    explanation: paragraphs(sentences),
    listen: (choice) => listenToRuns(runs, choice),
    async write(path) {
      await writeComparison(directories, path);
      return path;
    },
  };
}

function paragraphs(sentences: readonly string[]): Html {
  return {
    html: sentences.map((sentence) => `<p>${escapeHtml(sentence)}</p>`).join(''),
    text: sentences.join('\n'),
  };
}
