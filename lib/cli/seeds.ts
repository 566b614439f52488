/** `--seeds 1,2,3`: the same experiment with several seeds, one run after the other. */
import { dirname, join, relative } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { commandText } from '../command-text.js';
import type { RunOptions } from '../jobs/experiment.js';
import type { OwnParts } from '../jobs/own-parts.js';
import { runSeeds } from '../jobs/run-seeds.js';
import type { RunEvent } from '../run/events.js';
import type { Parameters } from '../run/parameters.js';
import { writeComparison } from '../view/compare.js';
import { SEEDS_NOTE, seedTable } from '../view/compare/seeds.js';
import { run, type Shown } from './run.js';
import { fittedTable } from './terminal.js';

/** `--seeds`, which every command has that runs an experiment. */
export function seedsOption(): Option {
  return new Option(
    '--seeds <list>',
    'run once with each of these seeds, as 1,2,3, one after the other, and compare them; in place of --seed',
  )
    .conflicts('seed')
    .argParser(parseSeeds);
}

function parseSeeds(text: string): number[] {
  const seeds = text.split(',').map((part) => part.trim());
  if (!seeds.every((seed) => /^\d{1,10}$/.test(seed)))
    throw new InvalidArgumentError('Expected whole numbers with commas between them, as 1,2,3.');
  return seeds.map(Number);
}

/**
 * Runs an experiment with every seed, each run shown and reported as one alone; then prints the table over seeds and writes the page that
 * compares them, `output/MMDD-HHMM-seeds.html` after the first run. Where a run fails or is interrupted, says what is left to do.
 */
export async function runEachSeed(
  parameters: Parameters,
  seeds: readonly number[],
  options: Omit<RunOptions, 'directories'> & OwnParts,
  shown: Shown,
): Promise<void> {
  const started: string[] = [];
  try {
    for await (const { seed, events } of runSeeds(parameters, seeds, options)) {
      process.stdout.write(
        `${started.length > 0 ? '\n' : ''}seed ${seed}, ${started.length + 1} of ${seeds.length}\n`,
      );
      await run(noteFolder(events, started), shown);
    }
  } catch (error) {
    if (started.length > 0) process.stderr.write(whatIsLeft(seeds, started));
    throw error;
  }
  const page = `${started[0]}-seeds.html`;
  const runs = await writeComparison(started, page);
  process.stdout.write(`\n${fittedTable(seedTable(runs))}\n\n${SEEDS_NOTE}\n\n`);
  process.stdout.write(`comparison: ${relative(process.cwd(), page)}\n`);
}

async function* noteFolder(events: AsyncGenerator<RunEvent>, started: string[]): AsyncGenerator<RunEvent> {
  for await (const event of events) {
    if (event.type === 'started') started.push(event.outputDirectory);
    yield event;
  }
}

/** The run that ended early has said how it goes on. */
function whatIsLeft(seeds: readonly number[], started: readonly string[]): string {
  const left = seeds.slice(started.length);
  const option = left.length === 1 ? '--seed' : '--seeds';
  const folders = started.map((folder) => relative(process.cwd(), folder));
  const others = left.length > 0 ? [join(relative(process.cwd(), dirname(started[0])), 'MMDD-HHMM')] : [];
  return [
    ...(left.length > 0
      ? [
          `${left.length === 1 ? 'Seed' : 'Seeds'} ${left.join(', ')} ${left.length === 1 ? 'has' : 'have'} not begun. To run what is left: the same command with ${option} ${left.join(',')}`,
        ]
      : []),
    `When all are done, compare them: ${commandText('compare', ...folders, ...others)}`,
    '',
  ].join('\n');
}
