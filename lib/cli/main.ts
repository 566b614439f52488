import { homedir } from 'node:os';
import { relative } from 'node:path';
import { Command, Option } from 'commander';
import { compareCommand } from './compare.js';
import { doctorCommand } from './doctor.js';
import { evalCommand } from './eval.js';
import { deviceOptions, openChosen, sayWhere, type DeviceOptions } from './device-option.js';
import { EXIT, exitCodeOf } from './exit-code.js';
import { endedBy } from './interrupt.js';
import { listenCommand } from './listen.js';
import { logpsCommand } from './logps.js';
import { mergeCommand } from './merge.js';
import {
  OWN,
  parameterOptions,
  parametersFromOptions,
  parseList,
  parseNumber,
  withPreset,
} from './parameter-options.js';
import { prepareCommand } from './prepare.js';
import { run, type Shown } from './run.js';
import { scoreRecordings } from './score.js';
import { serveRewardCommand } from './serve-reward.js';
import { tensorboardCommand } from './tensorboard.js';
import { runEachSeed, seedsOption } from './seeds.js';
import { trainCommand } from './train.js';
import { verifyDirectory } from './verify.js';
import { defaultThreads, deviceFromEnvironment } from '../engine/index.js';
import type { GivenWorkers } from '../farm/option.js';
import { editRecording } from '../jobs/edit.js';
import { runExperiment, type OwnParts, type RunOptions } from '../jobs/experiment.js';
import { rewardNames, type ExperimentName } from '../reward/built-in.js';
import { loadRewards } from '../reward/load.js';
import { resumeExperiment } from '../jobs/resume.js';
import type { Parameters } from '../run/parameters.js';
import { readRun } from '../run/run-files.js';
import { METRIC_NAMES } from '../scoring/metrics.js';
import { DEFAULT_WHISPER } from '../scoring/transcribe.js';
import { writeReport } from '../view/report.js';
import { sayOnStderr } from './standard-streams.js';
import { votesCommand } from './votes.js';
import { workerCommand } from './worker.js';
import { workersCommand } from './workers.js';
import { givenWorkers, workersOptions } from './workers-option.js';

const EXPERIMENTS: Record<ExperimentName, string> = {
  'even-token': 'train the policy to write even tokens, the experiment whose right answer is known',
  length: 'train the policy to write shorter completions',
  mos: 'train the policy to sound better: its reward is an opinion score of the audio, by NISQA or DNSMOS',
};

const OWN_REWARD =
  'module whose default export is a reward (.mjs, .js, .ts), the address of a server, or several with commas between them, built-in ones by their names';

const TRANSCRIBER =
  'recognizer of transcript, wer and cer: a Whisper model with ONNX weights, a name or a folder, or faster-whisper[:MODEL]';

type ExperimentOptions = DeviceOptions & GivenWorkers & { output: string; seeds?: number[] };
type OwnRunOptions = ExperimentOptions & { reward: string };
type ResumeOptions = Partial<DeviceOptions> & GivenWorkers & { reward?: string; iterations?: number };

/**
 * Runs one command line.
 *
 * @param args without `node` and the script
 * @param signal ends a run in good order, and whatever else is under way within a second: it may go on in the background
 * @returns the exit code: 0 done, 1 a comparison failed or a file could not be scored, 2 wrong input, 70 a mistake in this program, 74 the disk is full or fails, 130 interrupted
 */
export async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = createProgram(signal, () => (exitCode = EXIT.checkFailed));
  try {
    await program.parseAsync(args.map(expandHome), { from: 'user' });
  } catch (error) {
    exitCode = exitCodeOf(error, args, signal);
  }
  return exitCode;
}

/** `~/x`, and `--option=~/x`: in quotes and behind = a shell leaves that to the program. */
function expandHome(arg: string): string {
  return arg.replace(
    /^(--[\w-]+=)?~(?=[/\\])/,
    (_, option: string | undefined) => (option ?? '') + homedir(),
  );
}

/** The commands and options that there are. */
export function createProgram(signal: AbortSignal, onCheckFailed: () => void): Command {
  const program = new Command('speech-dpo')
    .description('Direct Preference Optimization for speech codec language models')
    .exitOverride()
    .showHelpAfterError('(see speech-dpo --help)')
    // Before anything is loaded: a wrong number of threads, or a device that is none, is refused.
    .hook('preAction', () => {
      defaultThreads();
      deviceFromEnvironment();
    });

  for (const [reward, description] of Object.entries(EXPERIMENTS) as [ExperimentName, string][]) {
    const command = program
      .command(reward)
      .description(description)
      .option(
        '--output <folder>',
        'folder in which output/MMDD-HHMM and model_output/MMDD-HHMM are made',
        '.',
      )
      .action(async (options: Record<string, unknown> & ExperimentOptions) => {
        const parameters = parametersFromOptions(reward, options);
        await using chosen = await openChosen(options, signal);
        const where = { ...chosen, ...givenWorkers(options) };
        const given = { ...where, root: options.output, signal, onNotice: sayOnStderr };
        await runOneOrMore(parameters, options.seeds, given, { reward, signal });
      });
    for (const option of [
      ...parameterOptions(reward),
      seedsOption(),
      ...deviceOptions(),
      ...workersOptions(),
    ])
      command.addOption(option);
  }

  const own = program
    .command('run')
    .description(
      'train the policy by any reward, also one of your own or several, see docs/adding-a-reward.md; naturalness, similarity, silence, wer and cer have the settings of mos',
    )
    .requiredOption('--reward <source>', `${rewardNames.join(', ')}, or a ${OWN_REWARD}`)
    .option('--output <folder>', 'folder in which output/MMDD-HHMM and model_output/MMDD-HHMM are made', '.')
    .action(async ({ reward: source, ...options }: OwnRunOptions, command: Command) => {
      const { name, own } = await endedBy(signal, loadRewards(source));
      const parameters = parametersFromOptions(name, withPreset(name, { ...options }, command), OWN);
      await using chosen = await openChosen(options, signal);
      const where = { ...chosen, ...givenWorkers(options) };
      const given = { ...where, root: options.output, rewards: own, signal, onNotice: sayOnStderr };
      const again = own.length > 0 ? source : undefined;
      await runOneOrMore(parameters, options.seeds, given, { reward: name, source: again, signal });
    });
  const noGuard = new Option('--no-guard', 'do not, where the settings of the reward have it on');
  const ownOptions = [...parameterOptions(OWN), noGuard, seedsOption()];
  for (const option of [...ownOptions, ...deviceOptions(), ...workersOptions()]) own.addOption(option);

  // A command that is made elsewhere has this program's ways with errors only if they are copied.
  const doctor = doctorCommand(signal, onCheckFailed);
  const elsewhere = [
    trainCommand,
    mergeCommand,
    logpsCommand,
    tensorboardCommand,
    evalCommand,
    listenCommand,
    votesCommand,
    prepareCommand,
    serveRewardCommand,
    workerCommand,
    workersCommand,
    compareCommand,
  ].map((make) => make(signal));
  for (const command of [...elsewhere, doctor]) program.addCommand(command.copyInheritedSettings(program));

  const [device, tf32] = deviceOptions();
  const resuming = program
    .command('resume')
    .description('go on with a run that was interrupted, from what is complete on disk')
    .argument('<folder>', 'model_output/MMDD-HHMM or output/MMDD-HHMM')
    .option('--iterations <number>', 'how many the run is to have in all, also a finished one', parseNumber)
    .option('--reward <source>', `${OWN_REWARD}; the one that the run began with`)
    .addOption(device.default(undefined, 'the one in run.json'))
    .addOption(tf32.default(undefined))
    .action(async (folder: string, options: ResumeOptions) => {
      const { reward: source, iterations } = options;
      const { record } = await readRun(folder);
      const rewards = source === undefined ? [] : (await endedBy(signal, loadRewards(source))).own;
      const isNamed = options.device !== undefined || options.tf32 !== undefined;
      const named = { device: options.device ?? 'auto', tf32: options.tf32 ?? false };
      await using chosen = isNamed ? await openChosen(named, signal) : null;
      const where = { ...chosen, ...givenWorkers(options) };
      const how = { ...where, rewards, iterations, signal, onNotice: sayOnStderr };
      const resumed = resumeExperiment(folder, how);
      await run(resumed, { reward: record.parameters.reward, source, signal });
    });

  for (const option of workersOptions()) resuming.addOption(option);

  program
    .command('report')
    .description('write report.html of a run anew')
    .argument('<folder>', 'output/MMDD-HHMM or model_output/MMDD-HHMM')
    .option(
      '--all-audio',
      'put all sound into the page, also what is too much for a page that opens fast',
      false,
    )
    .action(async (folder: string, { allAudio }: { allAudio: boolean }) => {
      const report = await endedBy(signal, writeReport(folder, { allAudio }));
      process.stdout.write(`report: ${relative(process.cwd(), report)}\n`);
    });

  const verifying = program
    .command('verify')
    .description('compare this implementation with reference values of transformers and TRL')
    .argument('<folder>', 'reference values with their model')
    .action(async (folder: string, options: DeviceOptions) => {
      await using chosen = await openChosen(options, signal);
      sayWhere(chosen);
      if (!(await endedBy(signal, verifyDirectory(folder, chosen.device)))) onCheckFailed();
    });

  const scoring = program
    .command('score')
    .description('score recordings (WAV): quality, intelligibility, level, words')
    .argument('<files...>', 'recordings to score')
    .option('--metric <names>', `of ${METRIC_NAMES.join(', ')}; several with commas`, parseList, ['nisqa'])
    .option(
      '--reference <file>',
      'recording that stoi, estoi, pesq (undamaged) and similarity (of the same speaker) compare with',
    )
    .option('--text <words>', 'what is said in the recordings, which wer and cer compare with')
    .option('--transcriber <name>', `${TRANSCRIBER}; default: WHISPER_MODEL, else ${DEFAULT_WHISPER}`)
    .option('--json', 'print JSON', false)
    .action(async (files: string[], options) => {
      const { metric: metrics, reference, text, transcriber, json } = options;
      await using chosen = await openChosen(options, signal);
      sayWhere(chosen);
      const where = { device: chosen.device, ...givenWorkers(options) };
      const scored = scoreRecordings(files, {
        metrics,
        reference,
        text,
        transcriber,
        json,
        signal,
        ...where,
      });
      if (!(await endedBy(signal, scored))) onCheckFailed();
    });

  const editing = program
    .command('edit')
    .description('edit a recording as an instruction says')
    .requiredOption('--wav <file>', 'recording to edit')
    .requiredOption('--instruction <text>', 'what to do with it, for example "Make it faster."')
    .option('--output <file>', 'WAV file to write', 'edited.wav')
    .option('--overwrite', 'replace the file that is there', false)
    .option('--model <folder>', 'model folder; "default" is the embedded one', 'default')
    .option('--policy <source>', "checkpoint instead of the model's policy, folder or hub name")
    .option('--nar <source>', "partner instead of the model's, folder or hub name")
    .option('--codec <source>', "codec instead of the model's, folder or hub name")
    .option('--seed <number>', 'another seed gives another result', parseNumber, 42)
    .option('--temperature <number>', 'divides the logits; 0 takes the likeliest token', parseNumber, 1)
    .option('--max-new-tokens <number>', 'longest result, in tokens', parseNumber, 300)
    .action(async (options) => {
      await using chosen = await openChosen(options, signal);
      sayWhere(chosen);
      const edited = editRecording({ ...options, ...chosen, signal, onNotice: sayOnStderr });
      const { sourceSeconds, resultSeconds } = await endedBy(signal, edited);
      const durations = `${sourceSeconds.toFixed(2)} s -> ${resultSeconds.toFixed(2)} s`;
      process.stdout.write(`${options.output}: ${durations}\n`);
    });

  for (const option of workersOptions()) scoring.addOption(option);
  for (const command of [verifying, scoring, editing])
    for (const option of deviceOptions()) command.addOption(option);

  // A long list, but one place to find every parameter.
  program.addHelpText('after', () => `\nParameters of even-token:\n${parametersHelp(program)}`);
  return program;
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

function parametersHelp(program: Command): string {
  const command = program.commands.find((candidate) => candidate.name() === 'even-token')!;
  const help = command.createHelp();
  const width = help.longestOptionTermLength(command, help);
  return help
    .visibleOptions(command)
    .map((option) => help.formatItem(help.optionTerm(option), width, help.optionDescription(option), help))
    .join('\n');
}
