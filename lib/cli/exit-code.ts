import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { CommanderError } from 'commander';
import { withoutPassword } from '../checkpoint/environment.js';
import { isOfDisk, withoutElsewhere } from '../checkpoint/write-error.js';
import { quoteForShell } from '../command-text.js';
import { packageVersion } from '../package-root.js';
import { firstError, isPlainError } from '../plain-error.js';
import { isInRewardModule } from '../reward/load.js';
import { ScorerFault } from '../scoring/unscorable.js';
import { showableText } from '../view/escape.js';
import { namingOptions } from './parameter-options.js';

/** What the command line ends with. */
export const EXIT = {
  done: 0,
  checkFailed: 1,
  wrongInput: 2,
  bug: 70,
  disk: 74,
  interrupted: 130,
} as const;

/**
 * Says on standard error why a command failed; the exit code.
 *
 * @param commandLine of the program, as a report of a fault shows it
 * @param signal what may have ended it: a person, or an error that nobody waited for, as its reason
 * @param hasOutput whether the command has an option --output, by which another place to write to is chosen
 */
export function exitCodeOf(
  thrown: unknown,
  commandLine: readonly string[],
  signal?: AbortSignal,
  hasOutput = true,
): number {
  const error = firstError(thrown);
  // Commander has printed what it has to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrongInput;
  if (signal?.aborted) {
    const reason: unknown = signal.reason;
    // Standard output cannot be written; the last sentence says so.
    if (isOfDisk(reason)) return EXIT.disk;
    if (!(reason instanceof DOMException)) return exitCodeOf(reason, commandLine, undefined, hasOutput);
    process.stderr.write('interrupted\n');
    return EXIT.interrupted;
  }
  const place = placeInReward(error);
  if (place !== undefined) {
    process.stderr.write(`error: ${showableText((error as Error).message)} (${place})\n`);
    return EXIT.wrongInput;
  }
  if (!isForThePerson(error)) {
    process.stderr.write(describeFault(error, commandLine));
    return EXIT.bug;
  }
  const sentence = hasOutput ? error.message : withoutElsewhere(error.message);
  process.stderr.write(`error: ${showableText(namingOptions(sentence))}\n`);
  return isOfDisk(error) || isOfDisk(error.cause) ? EXIT.disk : EXIT.wrongInput;
}

/**
 * Wrong input is told by a plain Error that this program makes, or by the system. Any other class is a fault of this program, and so is what
 * a dependency throws and nobody put into a sentence.
 */
function isForThePerson(error: unknown): error is Error {
  return isPlainError(error) && ('syscall' in error || isOfDisk(error) || !isOfDependency(error));
}

const OWN_FOLDER = new URL('../', import.meta.url);

function isOfDependency(error: Error): boolean {
  const [place] = placesOf(error);
  return place !== undefined && !isOwn(place) && /[/\\]node_modules[/\\]/.test(place);
}

/** Where the module of a person's own reward broke, or what it called there; undefined for what broke elsewhere. */
function placeInReward(error: unknown): string | undefined {
  const fault = error instanceof ScorerFault ? error.cause : error;
  if (!(fault instanceof Error) || isPlainError(error)) return undefined;
  const places = placesOf(fault);
  const ours = places.findIndex(isOwn);
  const theirs = ours < 0 ? places : places.slice(0, ours);
  return theirs.some(isInRewardModule) ? theirs[0].trim() : undefined;
}

/** Lines of a stack, the innermost call first, without Node.js' own. */
function placesOf({ stack = '' }: Error): string[] {
  return stack.split('\n').filter((line) => /^ +at .*[/\\]/.test(line) && !line.includes('node:'));
}

const isOwn = (place: string): boolean =>
  place.includes(OWN_FOLDER.href) || place.includes(fileURLToPath(OWN_FOLDER));

/** All that a report of a fault needs. */
function describeFault(error: unknown, commandLine: readonly string[]): string {
  return (
    'error: this is a fault of speech-dpo, not of what you gave it. Please report it to whom you have speech-dpo from, with all these lines:\n' +
    `command: ${commandLine.map(withoutPassword).map(quoteForShell).join(' ')}\n` +
    `version: speech-dpo ${packageVersion()}, Node.js ${process.version}, ${process.platform} ${process.arch}\n` +
    `${inspect(error)}\n`
  );
}
