import { setTimeout as sleep } from 'node:timers/promises';
import { SCORER_TRIES } from './reward.js';

/**
 * Runs an attempt until it succeeds, {@link SCORER_TRIES} times in all.
 *
 * @param options.isFinal whether another try is of no use after what was thrown
 * @param options.pauseMs how long to wait after what the nth try threw; default not at all
 * @throws what the last try threw, or the signal's reason
 */
export async function retry<T>(
  attempt: () => Promise<T>,
  options: {
    isFinal: (error: unknown) => boolean;
    pauseMs?: (error: unknown, tries: number) => number;
    signal?: AbortSignal;
  },
): Promise<T> {
  const { isFinal, pauseMs = () => 0, signal } = options;
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (tries === SCORER_TRIES || isFinal(error)) throw error;
      // When the pause is broken off, the next turn throws the reason.
      await sleep(pauseMs(error, tries), undefined, { signal }).catch(() => undefined);
    }
  }
}
