/** What one Ctrl-C ends. A run that has begun ends by itself, in good order; of everything else nothing is lost by leaving it. */
import { leftAfter } from '../left-after.js';
import type { RunEvent } from '../run/events.js';

/** For work that listens to the signal to clean up and to say so itself. */
const GRACE_MS = 500;

/**
 * The result of `work`. Once the signal is aborted it has half a second left.
 *
 * @throws the signal's reason when `work` is still under way then; it goes on until the process ends
 */
export function endedBy<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return leftAfter(GRACE_MS, signal, work);
}

/** The events of a run. Until it has started, with folders of its own, it is left when the signal is aborted; afterwards it ends itself. */
export async function* endedBeforeStartBy(
  signal: AbortSignal,
  events: AsyncGenerator<RunEvent>,
): AsyncGenerator<RunEvent> {
  let hasStarted = false;
  let isUnderWay = false;
  try {
    for (;;) {
      isUnderWay = true;
      const next = events.next();
      const result: IteratorResult<RunEvent> = await (hasStarted ? next : endedBy(signal, next));
      isUnderWay = false;
      if (result.done) return;
      hasStarted ||= result.value.type === 'started';
      yield result.value;
    }
  } finally {
    // A generator that is left in the middle of its work cannot be ended.
    if (!isUnderWay) await events.return(undefined);
  }
}
