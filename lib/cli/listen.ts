import { join, relative } from 'node:path';
import { Command, Option } from 'commander';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { refuseToReplaceOther } from '../checkpoint/files.js';
import { comparisons, listeningPairs, type ListeningOptions } from '../jobs/listening-pairs.js';
import { locateRun } from '../run/find-run.js';
import type { Listening } from '../run/listening.js';
import { listeningPage } from '../view/listening/page.js';
import { deviceOptions, openChosen, sayWhere, type DeviceOptions } from './device-option.js';
import { parseNumber } from './parameter-options.js';
import { display } from './render.js';
import { RUN_NAMES } from '../run/names.js';
import { sayOnStderr } from './standard-streams.js';

type ListenOptions = DeviceOptions &
  Pick<ListeningOptions, 'pairs' | 'seed' | 'split' | 'compare' | 'iteration'> & { output?: string };

/** `speech-dpo listen`: a page for blind comparisons. */
export function listenCommand(signal: AbortSignal): Command {
  const command = new Command('listen')
    .description(
      'make one HTML page on which a person compares pairs of samples without knowing which is which; it exports votes, which "votes" counts and "train --pairs" trains on',
    )
    .argument('<runs...>', `one run or two; of each ${RUN_NAMES}`)
    .addOption(
      new Option(
        '--compare <what>',
        "of one run, pairs: its chosen against its rejected samples; policies: its original against its trained policy. Two runs' trained policies are compared always (default: pairs)",
      ).choices(comparisons),
    )
    .option('--pairs <number>', 'pairs on the page', parseNumber, 20)
    .option(
      '--iteration <number>',
      'whose pairs or policies; default: the last one, and before it as far as there are too few pairs',
      parseNumber,
    )
    .addOption(
      new Option('--split <name>', 'prompts that policies are sampled on')
        .choices(['train', 'test'])
        .default('test'),
    )
    .option('--seed <number>', 'of the choice of pairs, their order and their sides', parseNumber, 42)
    .option(
      '--output <file>',
      "page to write, in place of one that is there; default: listen.html among the first run's outputs",
    )
    .action(async (folders: string[], { output, device, tf32, ...options }: ListenOptions) => {
      const { outputDirectory } = locateRun(folders[0]);
      const path = output ?? join(outputDirectory, 'listen.html');
      await refuseToReplaceOther(path);
      await using chosen = await openChosen({ device, tf32 }, signal);
      sayWhere(chosen);
      let listening: Listening | undefined;
      const making = async function* () {
        listening = yield* listeningPairs(folders, { ...options, ...chosen, signal, onNotice: sayOnStderr });
      };
      await display(making(), signal);
      const { pairs } = listening!;
      await writeFileAtomic(path, listeningPage(listening!, options).html);
      process.stdout.write(`${relative(process.cwd(), path)}: ${pairs.length} pairs\n`);
    });
  for (const option of deviceOptions()) command.addOption(option);
  return command;
}
