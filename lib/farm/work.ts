/** A worker: looks for a run that it fits, does the run's items one after the other, and says how it stands. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { OnNotice } from '../notice.js';
import { createAsk } from './ask.js';
import type { Executor } from './executor.js';
import { chooseRun } from './choose-run.js';
import { introduce } from './introduce.js';
import { listPresent } from './presence.js';
import type { QueueConnection } from './queue.js';
import { createRefusals } from './refusals.js';
import { TIMING, type Timing } from './timing.js';
import { workFor } from './work-for.js';

export interface WorkOptions {
  /** Default "HOST-PID", which follows the name that another worker has. */
  name?: string;
  /** Each does one item at a time. */
  executors: readonly Executor[];
  signal: AbortSignal;
  /** Is told what a person should know: runs that begin and end, refusals, and why. */
  onNotice?: OnNotice;
  timing?: Partial<Timing>;
}

/**
 * Works until the signal comes. Then it ends its items first, which takes seconds; whoever has no time kills it, and other workers do them.
 *
 * @throws Error in one sentence when the worker's disk is full; the item goes back to the queue
 */
export async function work(connection: QueueConnection, options: WorkOptions): Promise<void> {
  const { executors, signal, onNotice } = options;
  const timing = { ...TIMING, ...options.timing };
  const ask = createAsk(connection, signal, timing.lookMs);
  const introduced = await introduce(connection, ask, executors[0], options);
  if (!introduced) return;
  const refusals = createRefusals(onNotice);

  try {
    while (!signal.aborted) {
      const runs = (await ask(() => listPresent(connection, 'runs'))) ?? [];
      refusals.keepOf(runs);
      const found = chooseRun(runs, executors[0].traits, refusals);
      const refused = refusals.of(runs);
      const state = found ? 'preparing' : refused.length > 0 ? 'refuses' : 'idle';
      introduced.tell({ state, run: found?.run.id, refusals: refused });
      if (found)
        await workFor({ connection, executors, ask, introduced, refusals, timing, signal, onNotice }, found);
      else await sleep(2 * timing.lookMs, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await introduced.leave();
  }
}
