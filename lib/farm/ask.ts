/** What is asked of a queue's server that may be away for a while. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { QueueConnection } from './queue.js';

/** What the server answers, which is asked again while it is away; undefined once the signal comes. */
export type Ask = <T>(question: () => Promise<T>) => Promise<T | undefined>;

export function createAsk(connection: QueueConnection, signal: AbortSignal, againMs: number): Ask {
  return async (question) => {
    while (!signal.aborted) {
      try {
        return await untilAborted(signal, question());
      } catch (error) {
        if (!connection.isAway(error)) throw error;
        await sleep(againMs, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  };
}

/** What is answered; undefined where the signal comes before. */
function untilAborted<T>(signal: AbortSignal, answer: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      resolve(undefined);
    };
    signal.addEventListener('abort', leave, { once: true });
    answer.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', leave);
    });
  });
}
