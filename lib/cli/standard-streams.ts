import { EXIT, isOfDisk } from './exit-code.js';

/** What became of standard output. */
export interface StandardStreams {
  /** Why not all of it was written, where the disk under it is full or failing. */
  failure?: Error;
}

/**
 * Watches standard output and standard error, whose errors nobody else hears. A reader that leaves (`| head -1`, a terminal that is closed) is no
 * error: the command goes on without it, and ends as if all had been read. A full disk under standard output stops the command in good
 * order.
 */
export function watchStandardStreams(stop: AbortController): StandardStreams {
  const streams: StandardStreams = {};
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error) => {
    // A terminal that is gone says EIO.
    if (streams.failure || process.stdout.isTTY || !isOfDisk(error)) return;
    const { code } = error as NodeJS.ErrnoException;
    streams.failure = error;
    const reason = code === 'EIO' ? 'the disk reports an error' : 'the disk is full';
    process.stderr.write(`error: cannot write standard output: ${reason}\n`);
    // What was written last may fail when the command is done.
    process.exitCode = EXIT.disk;
    stop.abort(error);
  });
  return streams;
}
