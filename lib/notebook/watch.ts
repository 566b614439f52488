import { isPassing, type RunEvent } from '../run/events.js';
import { notebookKernel } from './notebook-kernel.js';
import { openLiveArea } from './live-area.js';

/**
 * Does work in a cell, with one live progress area; the stop button ends it in good order.
 *
 * @param start begins the work, which has to end when the signal is aborted
 * @returns what happened, without progress
 */
export async function watch(
  start: (signal: AbortSignal) => AsyncIterable<RunEvent>,
  title = 'starting ...',
): Promise<RunEvent[]> {
  const signal = notebookKernel().interruptSignal();
  const area = openLiveArea(title);
  const events: RunEvent[] = [];
  try {
    for await (const event of start(signal)) {
      area.show(event);
      if (!isPassing(event)) events.push(event);
    }
    area.end(events.length === 0 ? 'done' : undefined);
    return events;
  } catch (error) {
    area.end(signal.aborted ? 'stopped' : 'failed');
    throw error;
  }
}
