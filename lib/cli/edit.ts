import { Command } from 'commander';
import { editRecording } from '../jobs/edit.js';
import { deviceOptions, openChosen, sayWhere } from './device-option.js';
import { endedBy } from './interrupt.js';
import { parseNumber } from './parameter-options.js';
import { POLICY_NAMES_AND_DEFAULT } from '../run/names.js';
import { sayOnStderr } from './standard-streams.js';

/** `speech-dpo edit`: a recording and an instruction become another recording. */
export function editCommand(signal: AbortSignal): Command {
  const command = new Command('edit')
    .description(
      'edit a recording as an instruction says. A model reads recordings up to some length: the embedded one, with a short instruction, up to about 4.8 seconds',
    )
    .requiredOption('--wav <file>', 'recording to edit')
    .requiredOption('--instruction <text>', 'what to do with it, for example "Make it faster."')
    .option('--output <file>', 'WAV file to write', 'edited.wav')
    .option('--overwrite', 'replace the file that is there', false)
    .option(
      '--model <folder>',
      'model folder; "default" is the embedded one; default: model, partner and codec of the run whose checkpoint --policy names, else the embedded one',
    )
    .option('--policy <source>', `checkpoint instead of the model's policy: ${POLICY_NAMES_AND_DEFAULT}`)
    .option('--nar <source>', "partner instead of the model's: a folder or a hub name")
    .option('--codec <source>', "codec instead of the model's: a folder or a hub name")
    .option('--seed <number>', 'another seed gives another result', parseNumber, 42)
    .option('--temperature <number>', 'divides the logits; 0 takes the likeliest token', parseNumber, 1)
    .option('--max-new-tokens <number>', 'longest result, in tokens', parseNumber, 300)
    .option(
      '--int8',
      'sample, and write the other codebooks, in 8 bits: faster where models are large; on the device cpu',
      false,
    )
    .action(async (options) => {
      await using chosen = await openChosen(options, signal);
      sayWhere(chosen);
      const edited = editRecording({ ...options, ...chosen, signal, onNotice: sayOnStderr });
      const { sourceSeconds, resultSeconds, cutBy } = await endedBy(signal, edited);
      const durations = `${sourceSeconds.toFixed(2)} s -> ${resultSeconds.toFixed(2)} s`;
      process.stdout.write(`${options.output}: ${durations}\n`);
      if (cutBy)
        sayOnStderr(
          `The result is cut off before the policy ended it: ${cutBy === 'model' ? 'the model writes no longer ones' : 'a larger --max-new-tokens allows a longer one'}.`,
        );
    });
  for (const option of deviceOptions()) command.addOption(option);
  return command;
}
