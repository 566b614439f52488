import { Command } from 'commander';
import { mergeCheckpoint } from '../jobs/merge.js';
import { deviceOptions, openChosen, sayWhere, type DeviceOptions } from './device-option.js';
import { endedBy } from './interrupt.js';
import { POLICY_NAMES } from '../run/names.js';
import { sayOnStderr } from './standard-streams.js';

type MergeCommandOptions = { output: string; overwrite: boolean } & DeviceOptions;

/** `speech-dpo merge`: makes a whole checkpoint of an adapter. */
export function mergeCommand(signal: AbortSignal): Command {
  const command = new Command('merge')
    .description('merge a LoRA adapter into the policy that it was trained on, and compare their logits')
    .argument('<adapter>', `the adapter: ${POLICY_NAMES}`)
    .requiredOption('--output <folder>', 'folder to write the whole checkpoint to')
    .option('--overwrite', 'replace the checkpoint that is there', false)
    .action(async (adapter: string, { output, overwrite, ...options }: MergeCommandOptions) => {
      await using chosen = await openChosen(options, signal);
      sayWhere(chosen);
      const merging = mergeCheckpoint({
        adapter,
        output,
        overwrite,
        ...chosen,
        signal,
        onNotice: sayOnStderr,
      });
      const { difference, tolerance } = await endedBy(signal, merging);
      process.stdout.write(
        `${output}: logits differ by ${difference.toExponential(1)} from those of base and adapter (at most ${tolerance.toExponential(1)})\n`,
      );
    });
  for (const option of deviceOptions()) command.addOption(option);
  return command;
}
