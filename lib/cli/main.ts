import { homedir } from 'node:os';
import { Command } from 'commander';
import { defaultThreads, deviceFromEnvironment } from '../engine/index.js';
import { packageVersion } from '../package-root.js';
import { makeCommands } from './commands.js';
import { EXIT, exitCodeOf } from './exit-code.js';
import { configureHelp, FIRST_PAGE, helpColumns } from './help.js';

/**
 * Runs one command line.
 *
 * @param args without `node` and the script
 * @param signal ends a run in good order, and whatever else is under way within a second: it may go on in the background
 * @returns the exit code: 0 done, 1 a comparison failed or a metric had no score of a recording, 2 wrong input, 70 a mistake in this program,
 *   74 the disk is full, fails or is read-only, 130 interrupted
 */
export async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  if (args.length === 0) {
    process.stdout.write(FIRST_PAGE);
    return EXIT.done;
  }
  let exitCode: number = EXIT.done;
  const program = await createProgram(signal, (code) => (exitCode = code), args[0]);
  try {
    await program.parseAsync(args.map(expandHome), { from: 'user' });
  } catch (error) {
    const command = program.commands.find((each) => each.name() === args[0]);
    const hasOutput = command?.options.some(({ long }) => long === '--output');
    exitCode = exitCodeOf(error, ['speech-dpo', ...args], signal, hasOutput);
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

/**
 * The commands and options that there are.
 *
 * @param endWith is told the exit code of a command that has printed what it has to say, and did not get all that was asked for
 * @param first the first word of a command line, whose command alone is made
 */
export async function createProgram(
  signal: AbortSignal,
  endWith: (exitCode: number) => void,
  first?: string,
): Promise<Command> {
  const onCheckFailed = () => endWith(EXIT.checkFailed);
  const program = new Command('speech-dpo')
    .description('Direct Preference Optimization for speech codec language models')
    .version(packageVersion(), '-V, --version', 'print the version of speech-dpo')
    .helpOption('-h, --help', 'print this help')
    .exitOverride()
    .showHelpAfterError('(see npx speech-dpo --help)')
    // Before anything is loaded: a wrong number of threads, or a device that is none, is refused.
    .hook('preAction', () => {
      refuseWithoutFolder();
      defaultThreads();
      deviceFromEnvironment();
    });

  configureHelp(program);

  // A command that is made elsewhere has this program's ways with help and errors only if they are copied.
  for (const [group, commands] of await makeCommands(first, { signal, endWith, onCheckFailed }))
    for (const command of commands)
      program.addCommand(
        command
          .copyInheritedSettings(program)
          .showHelpAfterError(`(see npx speech-dpo ${command.name()} --help)`)
          .helpGroup(group),
      );

  // A long list, but one place to find every parameter.
  program.addHelpText('after', () => `\nParameters of even-token:\n${parametersHelp(program)}`);
  return program;
}

/** @throws Error where the folder that a command is called in was removed: no path leads on from it, and no thread starts there */
function refuseWithoutFolder(): void {
  try {
    process.cwd();
  } catch (error) {
    throw new Error(
      'the folder that this command is called in was removed: go to one that is there, as with cd ~',
      {
        cause: error,
      },
    );
  }
}

function parametersHelp(program: Command): string {
  const command = program.commands.find((candidate) => candidate.name() === 'even-token')!;
  const help = command.createHelp();
  help.prepareContext({ helpWidth: helpColumns(process.stdout) });
  const width = help.longestOptionTermLength(command, help);
  return help
    .visibleOptions(command)
    .map((option) => help.formatItem(help.optionTerm(option), width, help.optionDescription(option), help))
    .join('\n');
}
