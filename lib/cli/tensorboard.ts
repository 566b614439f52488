import { relative } from 'node:path';
import { Command } from 'commander';
import { quoteForShell } from '../command-text.js';
import { writeTensorBoard } from '../tensorboard/tensorboard.js';
import { endedBy } from './interrupt.js';
import { RUN_NAMES } from '../run/names.js';
import { sayOnStderr } from './standard-streams.js';

/** `speech-dpo tensorboard`: TensorBoard's files of a run that is over. */
export function tensorboardCommand(signal: AbortSignal): Command {
  return new Command('tensorboard')
    .description(
      'write TensorBoard event files of a run that is not under way: its metrics, tables of pairs and sound',
    )
    .argument('<run>', RUN_NAMES)
    .action(async (folder: string) => {
      const { folder: written, problems } = await endedBy(signal, writeTensorBoard(folder));
      for (const problem of problems) sayOnStderr(`left out: ${problem}`);
      const directory = quoteForShell(relative(process.cwd(), written));
      process.stdout.write(`To look at it: tensorboard --logdir ${directory}\n`);
    });
}
