import type { RunEvent } from '../run/events.js';
import { showableText } from '../view/escape.js';
import { eventLine } from '../view/event-line.js';
import { createFleetNews } from '../view/fleet.js';
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
  const fleetNews = createFleetNews();
  const print = (text: string) => stream.write(text + '\n');
  /** What an event leaves behind; of workers, what a person should know. */
  const textOf = (event: RunEvent): string | undefined => {
    if (event.type !== 'fleet') return eventLine(event);
    const news = fleetNews(event, performance.now() / 1000);
    return news.length > 0 ? showableText(news.join('\n')) : undefined;
  };
  if (!stream.isTTY)
    return {
      show(event) {
        const text = textOf(event);
        if (text) print(text);
      },
      stop: () => undefined,
    };

  const bar = createBar(stream);
  let state: ProgressState | undefined;
  const showBar = () => {
    if (!state) return;
    const { job, done, total } = state;
    bar.show({ job, done, total, fields: describeProgress(state).fields });
  };
  return {
    show(event) {
      state = advanceProgress(state, event, performance.now() / 1000);
      if (event.type === 'progress' || event.type === 'step') showBar();
      const text = textOf(event);
      if (text) {
        bar.stop();
        print(text);
      }
      // The job goes on.
      if (event.type === 'fleet') showBar();
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
