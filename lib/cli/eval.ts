import { relative } from 'node:path';
import { Command, Option } from 'commander';
import { checkpointParameters, evaluateCheckpoint } from '../jobs/evaluate-checkpoint.js';
import type { GivenWorkers } from '../farm/option.js';
import { hearsWords, rewardLabel } from '../reward/built-in.js';
import { partNames } from '../reward/combination.js';
import { loadRewards } from '../reward/load.js';
import type { Parameters } from '../run/parameters.js';
import { ONE_REWARD } from '../run/reward-parameters.js';
import { checkpointRecord, parseIndices } from '../run/checkpoint-path.js';
import { eventsOf } from '../view/run-events.js';
import { opinionModels, type OpinionModel } from '../scoring/opinion.js';
import { deviceOptions, openChosen, sayWhere, type DeviceOptions } from './device-option.js';
import { endedBy } from './interrupt.js';
import { OWN, parameterOptions, parseNumber } from './parameter-options.js';
import { display } from './render.js';
import { singleEvaluationTable } from './result-tables.js';
import { REWARD_OPTION, REWARD_SOURCES, sourceOf } from './reward-option.js';
import { POLICY_NAMES_AND_DEFAULT } from '../run/names.js';
import { sayOnStderr } from './standard-streams.js';
import { fittedTable } from './terminal.js';
import { givenWorkers, workersOptions } from './workers-option.js';

type CombinationName = keyof typeof ONE_REWARD;

interface EvaluationOptions extends DeviceOptions, GivenWorkers, Partial<Pick<Parameters, CombinationName>> {
  reward?: string;
  rewardModel?: OpinionModel;
  transcriber?: string;
  split: 'train' | 'test';
  indices: string;
  samples: number;
  seed?: number;
  int8?: boolean;
  output: string;
}

/** `speech-dpo eval`: scores samples of any checkpoint. */
export function evalCommand(signal: AbortSignal): Command {
  const command = new Command('eval')
    .description(
      'score samples of a checkpoint. What was evaluated, metrics and rewards, and what was dropped are written to output/MMDD-HHMM/eval_{iteration}_{samples}.json, with the name of the reward at the end unless it is mos, and with a number where another evaluation has that name',
    )
    .argument('<checkpoint>', POLICY_NAMES_AND_DEFAULT)
    .option(
      REWARD_OPTION,
      `what samples are scored by: ${REWARD_SOURCES}; default: the reward of the checkpoint's run, or of the run whose pairs that was given; of no run's checkpoint mos`,
    )
    .addOption(
      new Option(
        '--reward-model <name>',
        "mos only: whose opinion; default: that of the checkpoint's run, else nisqa",
      ).choices(opinionModels),
    )
    .option('--transcriber <name>', 'wer and cer only: the recognizer, as in speech-dpo run --help')
    .addOption(new Option('--split <name>', 'prompts to sample').choices(['train', 'test']).default('test'))
    .option('--indices <list>', 'which of them, for example 0-9 or 0-4,7', '0-9')
    .option('--samples <number>', 'samples of each prompt', parseNumber, 10)
    .option('--seed <number>', "seed of the sampling; default: the seed of the checkpoint's run", parseNumber)
    .option(
      '--int8',
      "sample, and write the other codebooks, in 8 bits, on the device cpu; default: as the checkpoint's run",
    )
    .option('--no-int8', 'do both in float32')
    .option(
      '--output <folder>',
      'folder in which output/MMDD-HHMM is made where the policy is not a run’s checkpoint',
      '.',
    )
    .action((checkpoint: string, options: EvaluationOptions) => evaluate(checkpoint, options, signal));
  for (const option of [...combinationOptions(), ...deviceOptions(), ...workersOptions()])
    command.addOption(option);
  return command;
}

/** Scores the samples, and prints what came of it. */
async function evaluate(checkpoint: string, options: EvaluationOptions, signal: AbortSignal): Promise<void> {
  const { rewardModel, transcriber, seed, int8, samples, split } = options;
  const indices = parseIndices(options.indices);
  const source = options.reward ?? (await recordedReward(checkpoint));
  const { name, own: rewards } = await endedBy(signal, loadRewards(source));
  refuseWithoutUse(name, options);
  const given = {
    reward: name,
    ...(rewardModel !== undefined && { rewardModel }),
    ...(transcriber !== undefined && { transcriber }),
    ...combinationOf(options),
    ...(seed !== undefined && { seed }),
    ...(int8 !== undefined && { int8 }),
  };
  const { parameters, ...evaluated } = await checkpointParameters(checkpoint, given);
  const evaluation = { ...evaluated, split, indices, samplesPerPrompt: samples, root: options.output };
  await using chosen = await openChosen(options, signal);
  sayWhere(chosen);
  let file = '';
  const evaluating = async function* () {
    file = yield* evaluateCheckpoint(parameters, {
      ...evaluation,
      ...chosen,
      ...givenWorkers(options),
      rewards,
      signal,
      onNotice: sayOnStderr,
    });
  };
  const [found] = eventsOf(await display(evaluating(), signal), 'evaluated');
  const label = rewards.length > 0 ? name : rewardLabel(parameters);
  process.stdout.write(`\n${fittedTable(singleEvaluationTable(found, label))}\n\n`);
  process.stdout.write(`written: ${relative(process.cwd(), file)}\n`);
}

/** @throws Error for an option that none of the rewards asks for: it would change nothing */
function refuseWithoutUse(
  reward: string,
  { rewardModel, transcriber }: Pick<EvaluationOptions, 'rewardModel' | 'transcriber'>,
): void {
  const names = partNames(reward);
  const scored = `and samples are scored by ${names.join(', ')}`;
  if (rewardModel !== undefined && !names.includes('mos'))
    throw new Error(`--reward-model says whose opinion mos is, ${scored}: add --reward mos`);
  if (transcriber !== undefined && !hearsWords(reward))
    throw new Error(`--transcriber says who listens for wer and cer, ${scored}: add --reward wer`);
}

/** What the checkpoint's run was scored by; mos where it is no run's, or its run.json is not at hand. */
async function recordedReward(checkpoint: string): Promise<string> {
  const record = await checkpointRecord(checkpoint);
  return record ? sourceOf(record, 'give it') : 'mos';
}

const COMBINATION = Object.keys(ONE_REWARD) as CombinationName[];

/** As a run has them; unless they are given, those of the checkpoint's run are taken where it has the same rewards. */
function combinationOptions(): Option[] {
  return parameterOptions(OWN)
    .filter((option) => (COMBINATION as string[]).includes(option.attributeName()))
    .map((option) => option.default(undefined));
}

/** Those of the options that are given. */
function combinationOf(options: EvaluationOptions): Partial<Parameters> {
  const given = COMBINATION.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]]));
}
