/** So many milliseconds, for which nothing is kept alive: what a server may take to hear a goodbye. */
export const patience = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });

/** How long who waits for whom. */
export interface Timing {
  /** A worker that has not renewed its hold of an item for so long has lost it. */
  lockMs: number;
  /** An item that takes longer has hung: its process is ended, and it is tried again. */
  itemMs: number;
  /** Between two looks at the queue and at who is there. */
  lookMs: number;
  /** Nothing came from the queue for so long: the run stops, and can be resumed. */
  silenceMs: number;
}

export const TIMING: Timing = { lockMs: 30_000, itemMs: 10 * 60_000, lookMs: 1000, silenceMs: 10 * 60_000 };
