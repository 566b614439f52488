import { Command } from 'commander';
import { formatCount } from '../format.js';
import { prepareDataset } from '../jobs/prepare-dataset.js';
import { createCounter } from './bar.js';
import { deviceOptions, openChosen, sayWhere } from './device-option.js';
import { endedBy } from './interrupt.js';
import { parseNumber } from './parameter-options.js';
import { sayOnStderr } from './standard-streams.js';

/** `speech-dpo prepare`: a dataset of a person's own recordings. */
export function prepareCommand(signal: AbortSignal): Command {
  const command = new Command('prepare')
    .description('make a dataset for --data of your own recordings and instructions')
    .requiredOption('--wav <folder>', 'folder that holds the recordings (WAV)')
    .requiredOption(
      '--instructions <file>',
      'one item on each line, with tabs between: the recording, the instruction and, if they are there, the edited recording and the words that are spoken',
    )
    .option('--output <file>', 'dataset file to write (JSON Lines)', 'data.jsonl')
    .option('--overwrite', 'replace the dataset that is there', false)
    .option('--model <folder>', 'model folder; "default" is the embedded one', 'default')
    .option('--codec <source>', "codec to use instead of the model's: a folder or a hub name")
    .option(
      '--codebooks <number>',
      "how many of the codec's codebooks, the first ones; default: as many as the model's policy has, with --codec 8 of facebook/encodec_24khz and those of 6 kbit/s of another EnCodec, or all where it has no such bandwidth",
      parseNumber,
    )
    .action(async (options) => {
      await using chosen = await openChosen(options, signal);
      sayWhere(chosen);
      const counter = createCounter(process.stderr, 'encoding recordings');
      const onNotice = (message: string) => {
        counter.stop();
        sayOnStderr(message);
      };
      const preparing = prepareDataset({ ...options, ...chosen, signal, onProgress: counter.show, onNotice });
      const count = await endedBy(signal, preparing).finally(counter.stop);
      process.stdout.write(`${options.output}: ${formatCount(count, 'item')}\n`);
    });
  for (const option of deviceOptions()) command.addOption(option);
  return command;
}
