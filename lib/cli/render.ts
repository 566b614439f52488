import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { formatBytes } from '../checkpoint/folder-size.js';
import { sumOf } from '../mean.js';
import { isPassing, ORIGINAL, type RunEvent } from '../run/events.js';
import { showableText } from '../view/escape.js';
import { eventLine } from '../view/event-line.js';
import { createFleetNews } from '../view/fleet.js';
import { formatDuration } from '../format.js';
import { advanceProgress, describeProgress, type ProgressState } from '../view/progress.js';
import type { RunEstimate } from '../view/run-estimate.js';
import { createBar } from './bar.js';
import { endedBeforeStartBy } from './interrupt.js';

/** Where a run is shown: a terminal gets a live bar under the lines, anything else plain lines. */
export interface Display {
  show(event: RunEvent): void;
  /** Takes the bar away; to be called before anything else is printed. */
  stop(): void;
}

/**
 * @param estimate how long the run will take: told once it can be guessed, and after each iteration; a bar shows it all the time
 */
export function createDisplay(stream: NodeJS.WriteStream, estimate?: RunEstimate): Display {
  const fleetNews = createFleetNews();
  const duration = estimate && createDurationNews(estimate);
  const print = (text: string) => stream.write(showableText(text) + '\n');
  /** What an event leaves behind; of workers, what a person should know. */
  let modelDirectory = '';
  const textOf = (event: RunEvent): string | undefined => {
    if (event.type === 'started') ({ modelDirectory } = event);
    if (event.type === 'saved') return `${eventLine(event)}${sizeOf(join(modelDirectory, event.directory))}`;
    if (event.type !== 'fleet') return eventLine(event);
    const news = fleetNews(event, performance.now() / 1000);
    return news.length > 0 ? news.join('\n') : undefined;
  };
  const bar = stream.isTTY ? createBar(stream) : undefined;
  let state: ProgressState | undefined;
  const showBar = () => {
    if (!bar || !state) return;
    const { job, done, total } = state;
    const remaining = estimate?.remainingSeconds(state.nowSeconds);
    const run = remaining === undefined ? {} : { run: `run: ${formatDuration(remaining)} left` };
    bar.show({ job, done, total, fields: { ...describeProgress(state).fields, ...run } });
  };
  return {
    show(event) {
      const now = performance.now() / 1000;
      state = advanceProgress(state, event, now);
      estimate?.advance(event, now);
      if (event.type === 'progress' || event.type === 'step') showBar();
      const text = [textOf(event), duration?.(event, now)].filter((line) => line !== undefined).join('\n');
      if (text) {
        bar?.stop();
        print(text);
      }
      // The job goes on.
      if (event.type === 'fleet') showBar();
    },
    stop: () => bar?.stop(),
  };
}

/** ", 25.4 MB"; nothing of a checkpoint that is gone again. */
function sizeOf(checkpoint: string): string {
  if (!existsSync(checkpoint)) return '';
  const sizes = readdirSync(checkpoint).map((name) => statSync(join(checkpoint, name)).size);
  return `, ${formatBytes(sumOf(sizes))}`;
}

/** Seconds of work after which a run is said to take so long. */
const FIRST_NEWS_SECONDS = 10;

/** What is said of a run's duration after an event: early in the run, and after each of its iterations but the last. */
function createDurationNews(
  estimate: RunEstimate,
): (event: RunEvent, nowSeconds: number) => string | undefined {
  let startedSeconds: number | undefined;
  let isSaid = false;
  return (event, now) => {
    if (event.type === 'progress') startedSeconds ??= now;
    if (startedSeconds === undefined) return undefined;
    const remaining = estimate.remainingSeconds(now);
    if (remaining === undefined || remaining === 0) return undefined;
    const isEvaluated = event.type === 'evaluated' && event.split === 'test';
    if (!isSaid && (isEvaluated || now - startedSeconds >= FIRST_NEWS_SECONDS)) {
      isSaid = true;
      return `The run will take about ${formatDuration(remaining)} more.`;
    }
    const isOfIteration = isEvaluated && event.iteration > ORIGINAL;
    return isOfIteration ? `  about ${formatDuration(remaining)} left` : undefined;
  };
}

/**
 * Shows the events of work on a terminal until it ends, or is interrupted.
 *
 * @returns those that are of use afterwards
 */
export async function display(events: AsyncGenerator<RunEvent>, signal: AbortSignal): Promise<RunEvent[]> {
  const shown = createDisplay(process.stdout);
  const kept: RunEvent[] = [];
  try {
    for await (const event of endedBeforeStartBy(signal, events)) {
      shown.show(event);
      if (!isPassing(event)) kept.push(event);
    }
  } finally {
    shown.stop();
  }
  return kept;
}
