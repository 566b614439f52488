import cliProgress from 'cli-progress';
import { formatDuration } from '../format.js';
import { progressLine, type ProgressLine } from '../view/progress-line.js';

/** A live line at a terminal's bottom. */
export interface Bar {
  show(line: ProgressLine): void;
  /** Takes the line away; to be called before anything else is printed. */
  stop(): void;
}

/** A bar on a terminal, which follows its width. */
export function createBar(stream: NodeJS.WriteStream): Bar {
  const bar = new cliProgress.SingleBar({
    stream,
    // One column stays free: what is cleared to the right of a full line is its last character.
    format: (_options, _params, { line }: { line: ProgressLine }) =>
      progressLine(line, columnsOf(stream) - 1),
    hideCursor: true,
    clearOnComplete: true,
  });
  let shownJob: string | undefined;
  const stop = () => {
    bar.stop();
    shownJob = undefined;
  };
  return {
    show(line) {
      if (line.job === shownJob) {
        bar.update(line.done, { line });
        return;
      }
      stop();
      shownJob = line.job;
      bar.start(line.total, line.done, { line });
    },
    stop,
  };
}

/** A bar of files one after the other, that guesses how long the rest will take; nothing where `stream` is no terminal. */
export function createCounter(stream: NodeJS.WriteStream, job: string) {
  const bar = stream.isTTY ? createBar(stream) : undefined;
  const startMs = performance.now();
  return {
    show(done: number, total: number): void {
      const seconds = (performance.now() - startMs) / 1000;
      const fields =
        done > 0 ? { remaining: `${formatDuration((seconds / done) * (total - done))} left` } : {};
      bar?.show({ job, done, total, fields });
    },
    stop: () => bar?.stop(),
  };
}

/** A terminal that does not tell its width is taken for one of 80 columns. */
function columnsOf({ columns }: NodeJS.WriteStream): number {
  return columns || 80;
}
