import { closeSync } from 'node:fs';
import { isOfDisk } from '../checkpoint/write-error.js';
import { showableText } from '../view/escape.js';
import { EXIT } from './exit-code.js';

/**
 * Watches standard output and standard error, whose errors nobody else hears. A reader that leaves (`| head -1`, a terminal that is closed) is no
 * error: the command goes on without it, and ends as if all had been read. A full disk under standard output stops the command in good
 * order; at its end a sentence says so, and the exit code is 74.
 */
export function watchStandardStreams(stop: AbortController): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A terminal that is gone says EIO.
    if (process.stdout.isTTY || !isOfDisk(error) || isOfDisk(stop.signal.reason)) return;
    const reason = error.code === 'EIO' ? 'the disk reports an error' : 'the disk is full';
    process.once('exit', () => {
      process.stderr.write(`error: cannot write standard output: ${reason}\n`);
      process.exitCode = EXIT.disk;
    });
    stop.abort(error);
  });
}

/** What the library has to tell, a line on standard error. */
export const sayOnStderr = (sentence: string): void =>
  void process.stderr.write(`${showableText(sentence)}\n`);

/** To be called when the terminal was closed: Node.js aborts (SIGABRT) where it cannot set a terminal back that is gone. */
export function leaveTerminalAtExit(): void {
  process.once('exit', () => {
    for (const descriptor of [0, 1, 2]) {
      try {
        closeSync(descriptor);
      } catch {
        // Closed already.
      }
    }
  });
}
