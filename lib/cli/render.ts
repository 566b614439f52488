import type { RunEvent } from '../run/events.js';
import { eventLine } from '../view/event-line.js';
import { advanceProgress, describeProgress, type ProgressState } from '../view/progress.js';
import { createBar } from './bar.js';
import { endedBeforeStartBy } from './interrupt.js';

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

  const bar = createBar(stream);
  let state: ProgressState | undefined;
  return {
    show(event) {
      state = advanceProgress(state, event, performance.now() / 1000);
      if (state && (event.type === 'progress' || event.type === 'step')) {
        const { job, done, total } = state;
        bar.show({ job, done, total, fields: describeProgress(state).fields });
      }
      if (!eventLine(event)) return;
      bar.stop();
      printLine(event);
    },
    stop: bar.stop,
  };
}

/** Shows the events of work on a terminal until it ends, or is interrupted. */
export async function display(events: AsyncGenerator<RunEvent>, signal: AbortSignal): Promise<void> {
  const shown = createDisplay(process.stdout);
  try {
    for await (const event of endedBeforeStartBy(signal, events)) shown.show(event);
  } finally {
    shown.stop();
  }
}
