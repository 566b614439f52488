import { relative } from 'node:path';
import { Command, Option } from 'commander';
import { parseIndices } from '../run/checkpoint-path.js';
import { checkpointParameters, evaluateCheckpoint } from '../jobs/evaluate-checkpoint.js';
import { rewardNames, type Parameters, type RewardName } from '../run/parameters.js';
import { trainFrom, trainingParameters } from '../jobs/train-from.js';
import type { RunEvent } from '../run/events.js';
import { opinionModels, type OpinionModel } from '../scoring/opinion.js';
import { endedBeforeStartBy } from './interrupt.js';
import { parameterOptions, parseNumber } from './parameter-options.js';
import { createDisplay } from './render.js';

/** Parameters that training on given pairs has a use for. */
const TRAINING = [
  'model',
  'policy',
  'seed',
  'beta',
  'rpoAlpha',
  'learningRate',
  'epochs',
  'batchSize',
  'gradientAccumulationSteps',
  'maxGradNorm',
  'validationShare',
] as const satisfies (keyof Parameters)[];

/** `speech-dpo train`: continues from any checkpoint on any pairs. */
export function trainCommand(signal: AbortSignal): Command {
  const command = new Command('train')
    .description(
      "train a checkpoint on the pairs of a data_iter_k.json, in a new run; parameters are the pairs' own run's, or the defaults",
    )
    .requiredOption('--pairs <file>', 'preference pairs, for example output/0601-1200/data_iter_1.json')
    .option('--output <folder>', 'gets output/MMDD-HHMM and model_output/MMDD-HHMM', '.')
    .action(async ({ pairs, output, ...given }: { pairs: string; output: string } & Partial<Parameters>) => {
      const parameters = await trainingParameters(pairs, given);
      await display(trainFrom(pairs, parameters, { root: output, signal }), signal);
    });
  for (const option of parameterOptions('even-token')) {
    const isWanted = TRAINING.some((name) => name === option.attributeName());
    // Without a default: what is not given comes from the run that made the pairs.
    if (isWanted) command.addOption(option.default(undefined));
  }
  return command;
}

interface EvaluationOptions {
  reward: RewardName;
  rewardModel: OpinionModel;
  split: 'train' | 'test';
  indices: string;
  samples: number;
  seed?: number;
  output: string;
}

/** `speech-dpo eval`: scores samples of any checkpoint. */
export function evalCommand(signal: AbortSignal): Command {
  return new Command('eval')
    .description(
      'score samples of a checkpoint; writes what was evaluated, {metrics, rewards} and what was dropped to output/MMDD-HHMM/eval_{iteration}_{samples}.json, with a number where another evaluation has that name',
    )
    .argument(
      '<checkpoint>',
      'for example model_output/0601-1200/iter_2, or any policy: a folder or hub name',
    )
    .addOption(
      new Option('--reward <name>', 'what samples are scored by').choices(rewardNames).default('mos'),
    )
    .addOption(
      new Option('--reward-model <name>', 'mos only: whose opinion').choices(opinionModels).default('nisqa'),
    )
    .addOption(new Option('--split <name>', 'prompts to sample').choices(['train', 'test']).default('test'))
    .option('--indices <list>', 'which of them, for example 0-9 or 0-4,7', '0-9')
    .option('--samples <number>', 'samples of each prompt', parseNumber, 10)
    .option('--seed <number>', "default: the run's", parseNumber)
    .option('--output <folder>', 'for a policy that is no run’s checkpoint: gets output/MMDD-HHMM', '.')
    .action(async (checkpoint: string, options: EvaluationOptions) => {
      const { reward, rewardModel, seed, samples, split } = options;
      const indices = parseIndices(options.indices);
      const given = { reward, rewardModel, ...(seed !== undefined && { seed }) };
      const { parameters, ...evaluated } = await checkpointParameters(checkpoint, given);
      const evaluation = { ...evaluated, split, indices, samplesPerPrompt: samples, root: options.output };
      let file = '';
      const evaluating = async function* () {
        file = yield* evaluateCheckpoint(parameters, { ...evaluation, signal });
      };
      await display(evaluating(), signal);
      process.stdout.write(`${relative(process.cwd(), file)}\n`);
    });
}

async function display(events: AsyncGenerator<RunEvent>, signal: AbortSignal): Promise<void> {
  const shown = createDisplay(process.stdout);
  try {
    for await (const event of endedBeforeStartBy(signal, events)) shown.show(event);
  } finally {
    shown.stop();
  }
}
