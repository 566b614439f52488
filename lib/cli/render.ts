import cliProgress from 'cli-progress';
import type { RunEvent } from '../experiment/events.js';
import { eventLine } from '../view/event-line.js';
import { advanceProgress, describeProgress, type ProgressState } from '../view/progress.js';

/** Where a run is shown: a terminal gets a live bar under the lines, anything else plain lines. */
export interface Display {
  show(event: RunEvent): void;
  /** Takes the bar away; to be called before anything else is printed. */
  stop(): void;
}

export function createDisplay(stream: NodeJS.WriteStream): Display {
  const printLine = (event: RunEvent) => {
    const line = eventLine(event);
    if (line) stream.write(line + '\n');
  };
  if (!stream.isTTY) return { show: printLine, stop: () => undefined };

  const bar = new cliProgress.SingleBar(
    { stream, format: '{job} {bar} {value}/{total} {detail}', hideCursor: true, clearOnComplete: true },
    cliProgress.Presets.shades_classic,
  );
  let state: ProgressState | undefined;
  let shownJob = '';
  const stop = () => {
    bar.stop();
    shownJob = '';
  };
  return {
    show(event) {
      state = advanceProgress(state, event, performance.now() / 1000);
      if (state && (event.type === 'progress' || event.type === 'step')) {
        const { job, done, total } = state;
        const { detail } = describeProgress(state);
        if (job === shownJob) {
          bar.update(done, { job, detail });
        } else {
          stop();
          shownJob = job;
          bar.start(total, done, { job, detail });
        }
      }
      if (!eventLine(event)) return;
      stop();
      printLine(event);
    },
    stop,
  };
}
