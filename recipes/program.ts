/** What the programs of recipes/ and bench/ share: how they explain themselves, read their command line and end. */
import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { EXIT, exitCodeOf } from '../lib/cli/exit-code.js';
import { closeDevices } from '../lib/engine/index.js';

/**
 * A program with --help. After a wrong command line it prints one sentence and ends with exit code 2; what it throws later ends it as it
 * would end the command line (`exitCodeOf`).
 *
 * @param command how it is started
 */
export function createProgram(command: string, description: string): Command {
  process.once('uncaughtException', (error) => {
    const code = exitCodeOf(error, [...command.split(' '), ...process.argv.slice(2)]);
    void closeDevices().finally(() => process.exit(code));
  });
  return new Command(command)
    .description(description)
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? EXIT.done : EXIT.wrongInput));
}

/** A whole number of at least `least` as a command-line argument. */
export function wholeNumber(least = 1): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`Expected a whole number of at least ${least}.`);
    return value;
  };
}

/** Some of `names` with commas between them, as a command-line argument. */
export function someOf<Name extends string>(names: readonly Name[]): (text: string) => Name[] {
  return (text) => {
    const given = text.split(',');
    if (!given.every((name): name is Name => names.some((known) => known === name)))
      throw new InvalidArgumentError(`There are ${names.join(', ')}, with commas between.`);
    return given;
  };
}

/** Whole numbers of at least one with commas between them, as a command-line argument. */
export function wholeNumbers(text: string): number[] {
  return text.split(',').map(wholeNumber());
}

/**
 * Refuses to begin without a file that another program writes.
 *
 * @param command writes it
 */
export function requireFile(path: string, command: string): void {
  if (!existsSync(path)) throw new Error(`${path} does not exist: run ${command} first.`);
}
