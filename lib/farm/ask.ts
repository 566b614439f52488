/** What is asked of a queue's server that may be away for a while. */
import { setTimeout as sleep } from 'node:timers/promises';
import { leftAfter } from '../left-after.js';
import type { QueueConnection } from './queue.js';

/** What the server answers, which is asked again while it is away; undefined once the signal comes. */
export type Ask = <T>(question: () => Promise<T>) => Promise<T | undefined>;

export function createAsk(connection: QueueConnection, signal: AbortSignal, againMs: number): Ask {
  return async (question) => {
    while (!signal.aborted) {
      try {
        return await leftAfter(0, signal, question());
      } catch (error) {
        if (!signal.aborted && !connection.isAway(error)) throw error;
        await sleep(againMs, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  };
}
