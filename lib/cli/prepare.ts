import { Command } from 'commander';
import { prepareDataset } from '../jobs/prepare-dataset.js';
import { endedBy } from './interrupt.js';
import { sayOnStderr } from './standard-streams.js';

/** `speech-dpo prepare`: a dataset of a person's own recordings. */
export function prepareCommand(signal: AbortSignal): Command {
  return new Command('prepare')
    .description('make a dataset of recordings and instructions, for --data')
    .requiredOption('--wav <folder>', 'recordings (WAV)')
    .requiredOption(
      '--instructions <file>',
      'an item a line: recording, instruction and perhaps edited recording, with tabs between',
    )
    .option('--output <file>', 'dataset to write, JSON Lines', 'data.jsonl')
    .option('--overwrite', 'replace the dataset that is there', false)
    .option('--model <folder>', 'model folder; "default" is the embedded one', 'default')
    .option('--codec <source>', "codec instead of the model's, folder or hub name")
    .action(async (options) => {
      const count = await endedBy(signal, prepareDataset({ ...options, signal, onNotice: sayOnStderr }));
      process.stdout.write(`${options.output}: ${count} items\n`);
    });
}
