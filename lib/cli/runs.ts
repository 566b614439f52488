import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { cannotRead } from '../checkpoint/files.js';
import { folderBytes, formatBytes } from '../checkpoint/folder-size.js';
import { isPlainError } from '../plain-error.js';
import type { RunDirectories } from '../run/directories.js';
import { listRuns } from '../run/find-run.js';
import { readRun, stateOf, type RunState } from '../run/run-files.js';
import { GIVEN_PAIRS } from '../run/taught-by.js';
import { showableText } from '../view/escape.js';
import { formatChange, formatNumber } from '../format.js';
import { beforeAndAfter, eventsOf } from '../view/run-events.js';
import { numberColumn, type Table } from '../view/table.js';
import { endedBy } from './interrupt.js';
import { sayOnStderr } from './standard-streams.js';
import { fittedTable } from './terminal.js';

/** A run as `speech-dpo runs --json` prints it. */
export interface ListedRun {
  run: string;
  /** Absent of a run that trained on given pairs and scored nothing, as `train` makes. */
  reward?: string;
  state: RunState;
  /** Iterations that were saved, and that there are to be. */
  iterations: { done: number; planned: number };
  /** Mean held-out reward of the original and of the last trained policy; absent before they are evaluated. */
  before?: number;
  after?: number;
  /** On disk, of both folders. */
  bytes: number;
  /** Where checkpoints, log and metrics are. */
  modelDirectory: string;
}

/** `speech-dpo runs`: what was run, and what came of it. */
export function runsCommand(signal: AbortSignal): Command {
  return new Command('runs')
    .description('list runs: their reward and state, held-out reward before and after, size on disk')
    .argument('[folder]', 'folder that holds output/ and model_output/', '.')
    .option('--json', 'print JSON', false)
    .action(async (folder: string, { json }: { json: boolean }) => {
      const isFolder = (await stat(folder).catch(cannotRead(folder))).isDirectory();
      if (!isFolder)
        throw new Error(`${folder} is a file; name the folder that holds output/ and model_output/`);
      const directories = listRuns(folder);
      const runs = await endedBy(signal, readAll(directories));
      if (json) process.stdout.write(`${JSON.stringify(runs, undefined, 2)}\n`);
      else if (directories.length > 0)
        process.stdout.write(`${showableText(fittedTable(runTable(runs, folder)))}\n`);
      else
        process.stdout.write(
          `There are no runs in ${join(folder, 'model_output')}. ${folder === '.' ? 'To begin: npx speech-dpo even-token --iterations 2' : 'The folder to name is the one that holds output/ and model_output/.'}\n`,
        );
    });
}

/** A run that cannot be read is told on standard error. */
async function readAll(directories: readonly RunDirectories[]): Promise<ListedRun[]> {
  const runs: ListedRun[] = [];
  for (const each of directories) {
    try {
      runs.push(await readListed(each));
    } catch (error) {
      if (!isPlainError(error)) throw error;
      sayOnStderr(`run ${each.name} cannot be read: ${error.message}`);
    }
  }
  return runs;
}

async function readListed({ modelDirectory, outputDirectory }: RunDirectories): Promise<ListedRun> {
  const recorded = await readRun(modelDirectory);
  const { record, events } = recorded;
  const { before, after } = beforeAndAfter(events, 'test');
  return {
    run: record.run,
    ...(record.reward && { reward: record.reward.name }),
    state: await stateOf(recorded),
    iterations: { done: eventsOf(events, 'saved').length, planned: record.parameters.iterations },
    ...(before && { before: before.statistics.mean }),
    ...(after && { after: after.statistics.mean }),
    bytes: (await folderBytes(modelDirectory)) + (await folderBytes(outputDirectory)),
    modelDirectory,
  };
}

/**
 * The runs as a table, one in a row.
 *
 * @param folder that holds their output/ and model_output/; names are as other commands take them
 */
export function runTable(runs: readonly ListedRun[], folder = '.'): Table {
  return {
    columns: [
      ...['run', 'reward', 'state'].map((title) => ({ title })),
      ...['iterations', 'before', 'after', 'change', 'on disk'].map(numberColumn),
    ],
    rows: runs.map(({ run, reward, state, iterations, before, after, bytes }) => [
      ...[join(folder, run), reward ?? GIVEN_PAIRS, state, `${iterations.done} of ${iterations.planned}`],
      before === undefined ? '-' : formatNumber(before),
      after === undefined ? '-' : formatNumber(after),
      before === undefined || after === undefined ? '-' : formatChange(after - before),
      formatBytes(bytes),
    ]),
  };
}
