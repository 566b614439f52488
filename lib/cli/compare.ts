import { relative } from 'node:path';
import { Command } from 'commander';
import { writeComparison } from '../view/compare.js';
import { comparisonNotes, type ComparedRun } from '../view/compare/runs.js';
import { seedTable } from '../view/compare/seeds.js';
import { differenceTable, resultTable } from '../view/compare/tables.js';
import { showableText } from '../view/escape.js';
import { endedBy } from './interrupt.js';
import { RUN_NAMES } from '../run/names.js';
import { fittedTable } from './terminal.js';

/** `speech-dpo compare`: runs side by side, as tables here and as a page. */
export function compareCommand(signal: AbortSignal): Command {
  return new Command('compare')
    .description(
      'put runs side by side in one HTML page: curves, paired differences with intervals, sound of the same prompts, parameters that differ',
    )
    .argument(
      '<runs...>',
      `two runs or more, of which the others are compared with the first; of each ${RUN_NAMES}`,
    )
    .option('--output <file>', 'page to write, in place of one that is there', 'compare.html')
    .option('--all-audio', 'put all sound into the page, even if the page then takes long to open', false)
    .action(async (folders: string[], { output, allAudio }: { output: string; allAudio: boolean }) => {
      const runs = await endedBy(signal, writeComparison(folders, output, { allAudio }));
      printComparison(runs);
      process.stdout.write(`comparison: ${relative(process.cwd(), output)}\n`);
    });
}

function printComparison(runs: readonly ComparedRun[]): void {
  const notes = comparisonNotes(runs);
  const tables = [resultTable(runs), differenceTable(runs), seedTable(runs)];
  const texts = [
    ...(notes.length > 0 ? [notes.join('\n')] : []),
    ...tables.filter(({ rows }) => rows.length > 0).map((table) => fittedTable(table)),
  ];
  process.stdout.write(texts.map((text) => `${showableText(text)}\n\n`).join(''));
}
