import { join, relative } from 'node:path';
import { Command } from 'commander';
import { commandText } from '../command-text.js';
import { trainFrom, trainingParameters } from '../jobs/train-from.js';
import type { RunEvent } from '../run/events.js';
import type { Parameters } from '../run/parameters.js';
import { readRunRecord } from '../run/run-files.js';
import { eventsOf, startOf } from '../view/run-events.js';
import { deviceOptions, openChosen, type DeviceOptions } from './device-option.js';
import { parameterOptions } from './parameter-options.js';
import { display } from './render.js';
import { rewardToGive } from './reward-option.js';
import { trainingTable } from './result-tables.js';
import { sayOnStderr } from './standard-streams.js';
import { fittedTable } from './terminal.js';

/** Parameters that training on given pairs has a use for. */
const TRAINING = [
  'model',
  'policy',
  'seed',
  'loss',
  'lossWeights',
  'beta',
  'rpoAlpha',
  'labelSmoothing',
  'simpoGamma',
  'rewardScale',
  'desirableWeight',
  'undesirableWeight',
  'reference',
  'referenceSteps',
  'referenceMixup',
  'learningRate',
  'schedule',
  'warmupSteps',
  'epochs',
  'batchSize',
  'gradientAccumulationSteps',
  'weightDecay',
  'maxGradNorm',
  'validationShare',
  'earlyStopping',
  'patience',
  'tensorboard',
  'loraRank',
  'loraAlpha',
  'loraTargets',
] as const satisfies (keyof Parameters)[];

type TrainOptions = { pairs: string; output: string } & DeviceOptions & Partial<Parameters>;

/** `speech-dpo train`: continues from any checkpoint on any pairs. */
export function trainCommand(signal: AbortSignal): Command {
  const command = new Command('train')
    .description(
      'train a checkpoint on the pairs of a data_iter_k.json, on JSON Lines of {"prompt", "chosen", "rejected"}, or on the votes of a page of "listen", in a new run; parameters that you do not give come from the run that wrote the pairs, else the defaults are taken',
    )
    .requiredOption(
      '--pairs <file>',
      'preference pairs, for example output/0601-1200/data_iter_1.json, or a votes file',
    )
    .option('--output <folder>', 'folder in which output/MMDD-HHMM and model_output/MMDD-HHMM are made', '.')
    .action(async ({ pairs, output, device, tf32, ...given }: TrainOptions) => {
      const parameters = await trainingParameters(pairs, given);
      await using chosen = await openChosen({ device, tf32 }, signal);
      const options = { ...chosen, root: output, signal, onNotice: sayOnStderr };
      const events = await display(trainFrom(pairs, parameters, options), signal);
      process.stdout.write(`\n${fittedTable(trainingTable(events))}\n\n${await whatNext(events)}\n`);
    });
  for (const option of parameterOptions('even-token')) {
    const isWanted = TRAINING.some((name) => name === option.attributeName());
    // Without a default: what is not given comes from the run that made the pairs.
    if (isWanted) command.addOption(option.default(undefined));
  }
  for (const option of deviceOptions()) command.addOption(option);
  return command;
}

/** Where the checkpoint is, and the command that scores it. */
async function whatNext(events: readonly RunEvent[]): Promise<string> {
  const { modelDirectory } = startOf(events);
  const { directory } = eventsOf(events, 'saved').at(-1)!;
  const checkpoint = relative(process.cwd(), join(modelDirectory, directory));
  const record = await readRunRecord(modelDirectory);
  return `checkpoint: ${checkpoint}\nTo score it: ${commandText('eval', checkpoint, ...rewardToGive(record))}`;
}
