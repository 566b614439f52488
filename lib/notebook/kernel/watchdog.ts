import { Worker } from 'node:worker_threads';
import { Interrupted } from './errors.js';

/** What both threads see of each other: one integer each. */
export type Shared = Int32Array<SharedArrayBuffer>;
/** The last question of the watchdog that the main thread has answered. */
export const ANSWERED = 0;
/** How long the main thread may keep the watchdog waiting before what it runs is ended. */
export const PATIENCE_MS = 1;

/** The main thread's function that the watchdog calls before it cuts off what runs there. */
export const BREAK_OUT = "globalThis[Symbol.for('speech-dpo.kernel.break-out')]";
/** What the main thread is found at; only if busy, what it runs may be cut off, and is prepared for that. */
export type Finding = 'busy' | 'idle' | 'protected';

/** The kernel's thread that ends code which keeps the main thread busy after the stop button, and the kernel when its parent is gone. */
export interface Watchdog {
  /** Does the kernel's own synchronous work, which has to come to its end. */
  protect<T>(work: () => T): T;
  setPatience(ms: number): void;
}

export function startWatchdog(): Watchdog {
  const shared: Shared = new Int32Array(new SharedArrayBuffer(8));
  let isProtected = false;
  Object.assign(globalThis, {
    [Symbol.for('speech-dpo.kernel.break-out')]: function breakOut(isSure: boolean): Finding {
      if (isProtected) return 'protected';
      if (!isSure && !isBusy()) return 'idle';
      // What Node.js does for an error that nobody catches: without it, a callback that is cut off would leave its asynchronous
      // context behind, and the next one would end the process.
      (process as unknown as { _fatalException(error: Error): void })._fatalException(
        new Interrupted('the stop button ended this'),
      );
      return 'busy';
    },
  });
  const thread = new Worker(new URL('./watchdog-thread.js', import.meta.url), {
    workerData: { shared, parent: process.ppid },
    execArgv: ['--expose-internals', '--no-warnings'],
  });
  thread.on('message', (question: number) => {
    // Not at once: code that was cut off between two ticks of its own goes on with the next one as soon as this callback is over.
    setImmediate(() => Atomics.store(shared, ANSWERED, question));
  });
  thread.unref();
  return {
    protect(work) {
      const outer = isProtected;
      isProtected = true;
      try {
        return work();
      } finally {
        isProtected = outer;
      }
    },
    setPatience: (ms) => Atomics.store(shared, PATIENCE_MS, ms),
  };
}

/** Whether the watchdog's expression was evaluated in the midst of other code, and not in an event loop that only was slow to turn. */
function isBusy(): boolean {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const place: { stack?: readonly NodeJS.CallSite[] } = {};
  try {
    Error.stackTraceLimit = 10;
    Error.prepareStackTrace = (_error, sites) => sites;
    Error.captureStackTrace(place, isBusy);
    return place.stack!.length > FRAMES_OF_AN_IDLE_THREAD;
  } finally {
    Object.assign(Error, { prepareStackTrace, stackTraceLimit });
  }
}

/** The function that the watchdog calls, and the expression that calls it. */
const FRAMES_OF_AN_IDLE_THREAD = 2;
