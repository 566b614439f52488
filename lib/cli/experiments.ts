/** The commands that run an experiment: one for each reward that has settings of its own, and `run` for any. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { GivenWorkers } from '../farm/option.js';
import { runExperiment, type RunOptions } from '../jobs/experiment.js';
import type { OwnParts } from '../jobs/own-parts.js';
import { isNameEnough, type ExperimentName } from '../reward/built-in.js';
import { loadRewards } from '../reward/load.js';
import type { Parameters } from '../run/parameters.js';
import { readRunRecord, type RunRecord } from '../run/run-files.js';
import { deviceOptions, openChosen, type DeviceOptions } from './device-option.js';
import { endedBy } from './interrupt.js';
import { OWN, parameterOptions, parametersFromOptions, withPreset } from './parameter-options.js';
import { optionsToResume, REWARD_OPTION, REWARD_SOURCES, sourceOf } from './reward-option.js';
import { run, type Shown } from './run.js';
import { runEachSeed, seedsOption } from './seeds.js';
import { sayOnStderr } from './standard-streams.js';
import { givenWorkers, workersOptions } from './workers-option.js';

const EXPERIMENTS: Record<ExperimentName, string> = {
  'even-token': 'train the policy to write even tokens: the experiment whose right answer is known',
  length: 'train the policy to write shorter completions',
  mos: 'train the policy to sound better: its reward is the opinion score of the audio that NISQA or DNSMOS predicts',
};

type ExperimentOptions = DeviceOptions & GivenWorkers & { output: string; seeds?: number[]; config?: string };
type GivenOptions = Record<string, unknown> & ExperimentOptions;

/** `speech-dpo even-token`, `length` and `mos`. */
export function experimentCommands(signal: AbortSignal): Command[] {
  return (Object.entries(EXPERIMENTS) as [ExperimentName, string][]).map(([reward, description]) => {
    const command = new Command(reward).description(description);
    command.action(async (options: GivenOptions) => {
      const record = await readConfig(options.config);
      await runWith(parametersFor(reward, options, command, record, reward), options, { signal });
    });
    addOptions(command, [...parameterOptions(reward), ...(reward === 'mos' ? [misplacedReward()] : [])]);
    return command;
  });
}

/** `speech-dpo run`: by any reward. */
export function runCommand(signal: AbortSignal): Command {
  const command = new Command('run')
    .description(
      'train the policy by any reward: a built-in one, one of your own, or several (docs/adding-a-reward.md). even-token, length and mos have the settings of their commands, naturalness, similarity, silence, wer and cer those of mos, all others and several together those of even-token',
    )
    .requiredOption(REWARD_OPTION, `what samples are scored by: ${REWARD_SOURCES}`)
    .action(async ({ reward: given, ...options }: GivenOptions & { reward: string }) => {
      const record = await readConfig(options.config);
      const source = given === FROM_CONFIG ? sourceOf(record!, 'name it beside --config') : given;
      const { name, own } = await endedBy(signal, loadRewards(source));
      const parameters = parametersFor(name, { ...options }, command, record, OWN);
      await runWith(parameters, options, { source, rewards: own, signal });
    });
  addOptions(command, [
    ...parameterOptions(OWN),
    new Option('--no-guard', 'switch the guard off where the settings of the reward have it on'),
  ]);
  return command;
}

const FROM_CONFIG = '';

function addOptions(command: Command, own: readonly Option[]): void {
  const config = new Option(
    '--config <run>',
    'start from the parameters of a recorded run: its run.json, its name or one of its folders; options that you give beside it win',
  ).implies(command.name() === 'run' ? { reward: FROM_CONFIG } : {});
  const output = new Option(
    '--output <folder>',
    'folder in which output/MMDD-HHMM and model_output/MMDD-HHMM are made',
  ).default('.');
  for (const option of [config, output, ...own, seedsOption(), ...deviceOptions(), ...workersOptions()])
    command.addOption(option);
}

/** `speech-dpo mos --reward` is what a person may try; which network the score is of is another question. */
function misplacedReward(): Option {
  return new Option('--reward <source>').hideHelp().argParser((source: string) => {
    throw new InvalidArgumentError(
      `This command's reward is mos. To choose its network: --reward-model ${isNameEnough(source) ? source : 'dnsmos'}. For another reward: speech-dpo run --reward ${source}.`,
    );
  });
}

async function readConfig(config: string | undefined): Promise<RunRecord | undefined> {
  return config === undefined ? undefined : readRunRecord(config);
}

/** A run's parameters: those of a recorded run, or else the settings of the reward, and in their place what is given. */
function parametersFor(
  reward: string,
  options: Record<string, unknown>,
  command: Command,
  record: RunRecord | undefined,
  experiment: string,
): Parameters {
  const given =
    experiment === OWN || record ? withPreset(reward, options, command, record?.parameters) : options;
  return parametersFromOptions(reward, given, experiment, record?.parameters);
}

async function runWith(
  parameters: Parameters,
  options: ExperimentOptions,
  { source = '', rewards = [], signal }: { source?: string; signal: AbortSignal } & Pick<OwnParts, 'rewards'>,
): Promise<void> {
  await using chosen = await openChosen(options, signal);
  const workers = givenWorkers(options);
  const given = { ...chosen, ...workers, root: options.output, rewards, signal, onNotice: sayOnStderr };
  const again = optionsToResume({ source, own: rewards }, workers);
  await runOneOrMore(parameters, options.seeds, given, { parameters, again, signal });
}

async function runOneOrMore(
  parameters: Parameters,
  seeds: readonly number[] | undefined,
  options: RunOptions & OwnParts,
  shown: Shown,
): Promise<void> {
  if (seeds) await runEachSeed(parameters, seeds, options, shown);
  else await run(runExperiment(parameters, options), shown);
}
