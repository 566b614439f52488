import type { RunEvent } from './events.js';

/** A clock that stands still while whoever reads a run's events keeps it waiting, as a person does between two cells of a notebook. */
export interface WorkClock {
  /** Seconds of work since any point in the past. */
  seconds(): number;
  /** Passes events on. From one event until its reader asks for the next, the clock stands still. */
  whileRead(events: AsyncGenerator<RunEvent>): AsyncGenerator<RunEvent>;
}

export function createWorkClock(nowMs: () => number = () => performance.now()): WorkClock {
  let waitedMs = 0;
  return {
    seconds: () => (nowMs() - waitedMs) / 1000,
    async *whileRead(events) {
      for await (const event of events) {
        const givenMs = nowMs();
        yield event;
        waitedMs += nowMs() - givenMs;
      }
    },
  };
}
