/**
 * The trainer's side of the queue: hands items out and takes their results in, whatever becomes of workers, of the queue's server and of
 * messages on the way. A result is a pure function of its item's id, so that an item may be done twice without harm.
 */
import type { JobsOptions, Queue, QueueEvents } from 'bullmq';
import type { FleetStatus } from '../run/events.js';
import { createBatch, ITEM_TRIES, type Batch, type Dispatch } from './batch.js';
import { createFleet } from './fleet.js';
import { listPresent } from './presence.js';
import type { QueueConnection } from './queue.js';
import { seenStanding, unseenStanding, withTrouble } from './standing.js';
import { patience, TIMING, type Timing } from './timing.js';
import { createUpkeep, isShort } from './upkeep.js';
import { createWatch, type Watch } from './watch.js';

export type Dispatched =
  /** The result of `items[index]`. */
  { type: 'result'; index: number; result: string } | { type: 'fleet'; status: FleetStatus };

export interface Dispatcher {
  /**
   * Gives items to the workers; each result comes once, in any order, and about every second how the workers stand. Results that are in
   * the queue already, as after a trainer was killed, are taken from there.
   *
   * @throws Error naming an item that failed three times, or workers that gave different results for one; when the queue is silent for too
   *   long; the signal's reason
   */
  gather(items: readonly Dispatch[]): AsyncGenerator<Dispatched>;
  /** Leaves the queue: empty where the run is over, else with the results that a resumed run goes on with. */
  close(isOver: boolean): Promise<void>;
}

/** Jobs that are removed in one call, of whatever time: they have that of the worker that ended them, whose clock may be ahead. */
const CLEANED_AT_ONCE = 1000;
const AHEAD_MS = 365 * 24 * 3_600_000;
/** How long a server may take to let a run go. */
const LEAVING_MS = 5000;

/** Results are kept for a day, for a run that is resumed. */
const JOB_OPTIONS: JobsOptions = {
  attempts: ITEM_TRIES,
  backoff: { type: 'fixed', delay: 1000 },
  removeOnComplete: { age: 24 * 3600 },
};

/** The queue of a run. */
export const queueName = (run: string): string => `speech-dpo-${run}`;

/**
 * Opens the queue of a run.
 *
 * @param run.id the same for a run that is resumed
 * @param run.mayDiffer workers may compute other bits than each other; default: two results of an item that differ stop the run
 */
export async function openDispatcher(
  connection: QueueConnection,
  run: { id: string; mayDiffer?: boolean; signal?: AbortSignal; timing?: Partial<Timing> },
): Promise<Dispatcher> {
  const { signal } = run;
  const timing = { ...TIMING, ...run.timing };
  const queue = connection.queue(queueName(run.id), { defaultJobOptions: JOB_OPTIONS });
  const events = connection.events(queueName(run.id));
  const fleet = createFleet(run.id);
  const keepUp = createUpkeep(queue);
  await queue.waitUntilReady();
  await events.waitUntilReady();
  // What failed before the run was resumed is tried anew.
  await clean(queue, 'failed');

  /** A look gives out items, also those of a batch that nobody waits for any more. */
  let lastLook: Promise<void> = Promise.resolve();

  /** Looks at the queue while results are gathered: what the last one saw, and what failed in one. */
  function createLooks(batch: Batch, watch: Watch, onEnd: () => void) {
    const look = async (isQuiet: boolean): Promise<void> => {
      try {
        const counts = await keepUp(batch, isQuiet);
        fleet.see(await listPresent(connection, 'workers'));
        looks.seen = seenStanding(batch, fleet, counts);
        watch.answered(performance.now());
      } catch (error) {
        if (!connection.isAway(error)) looks.failure = error;
      } finally {
        watch.ended();
        onEnd();
      }
    };
    const looks = {
      seen: undefined as FleetStatus | undefined,
      failure: undefined as unknown,
      begin(nowMs: number) {
        lastLook = look(watch.begin(nowMs, batch.durations.length));
      },
    };
    return looks;
  }

  async function* gather(items: readonly Dispatch[]): AsyncGenerator<Dispatched> {
    const batch = createBatch(items, run.mayDiffer);
    const bell = createBell();
    const watch = createWatch(timing, performance.now());
    const looks = createLooks(batch, watch, bell.ring);
    const silence = listen(queue, events, batch, bell.ring);
    signal?.addEventListener('abort', bell.ring, { once: true });
    try {
      for (let done = 0; done < items.length;) {
        signal?.throwIfAborted();
        const nowMs = performance.now();
        if (watch.isDue(nowMs, isShort(batch))) looks.begin(nowMs);
        const arrivals = batch.arrivals();
        for (const { index, envelope } of arrivals) {
          done += 1;
          fleet.count(envelope.worker, envelope.seconds);
          yield { type: 'result', index, result: envelope.result };
        }
        const failure = batch.failure ?? looks.failure;
        if (failure) {
          // What led to it has come since the last look.
          if (looks.seen) yield { type: 'fleet', status: { ...looks.seen, failed: batch.failedTries } };
          throw failure as Error;
        }
        const server = watch.server(nowMs);
        if (server === 'lost')
          throw new Error(
            `the queue at ${connection.address} has not answered for ${Math.round(timing.silenceMs / 60_000)} minutes; the run stops and can be resumed`,
          );
        if (watch.tells(nowMs)) {
          // A server may be away from the first look on.
          const seen = looks.seen ?? unseenStanding(batch, fleet, done, items.length);
          yield { type: 'fleet', status: withTrouble(seen, connection.address, server === 'away') };
        }
        if (arrivals.length === 0 && done < items.length) await bell.wait(timing.lookMs);
      }
      // Who did the last ones.
      if (items.length > 0)
        yield { type: 'fleet', status: unseenStanding(batch, fleet, items.length, items.length) };
    } finally {
      silence();
      signal?.removeEventListener('abort', bell.ring);
    }
    // The run has them; where the server is away, they age.
    clean(queue, 'completed').catch(() => undefined);
  }

  return {
    gather,
    async close(isOver) {
      const leaving = async () => {
        await lastLook;
        await (isOver ? queue.obliterate({ force: true }) : queue.drain(true));
        await events.close();
      };
      await Promise.race([leaving().catch(() => undefined), patience(LEAVING_MS)]);
    },
  };
}

async function clean(queue: Queue, state: 'failed' | 'completed'): Promise<void> {
  while ((await queue.clean(-AHEAD_MS, CLEANED_AT_ONCE, state)).length > 0);
}

/** Tells the batch what the queue tells; ends that when called. */
function listen(queue: Queue, events: QueueEvents, batch: Batch, onNews: () => void): () => void {
  const handlers = {
    completed: ({ jobId, returnvalue }: { jobId: string; returnvalue: unknown }) => {
      for (const job of batch.cameBack(jobId, returnvalue))
        // One that a worker has in hand stays, and is not waited for.
        queue.remove(job).catch(() => undefined);
      onNews();
    },
    failed: ({ jobId, failedReason }: { jobId: string; failedReason: string }) => {
      batch.failed(jobId, failedReason);
      onNews();
    },
    active: ({ jobId }: { jobId: string }) => {
      batch.started(jobId);
    },
    delayed: () => {
      batch.triedInVain();
    },
    stalled: () => {
      batch.triedInVain();
    },
  };
  const entries = Object.entries(handlers) as ['completed', (typeof handlers)['completed']][];
  for (const [name, handler] of entries) events.on(name, handler as never);
  return () => {
    for (const [name, handler] of entries) events.off(name, handler as never);
  };
}

/** Wakes whoever waits. */
function createBell() {
  let rung: (() => void) | undefined;
  return {
    ring: () => rung?.(),
    /** Until the bell rings, or so long. */
    async wait(longestMs: number): Promise<void> {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        rung = resolve;
        timer = setTimeout(resolve, longestMs);
      });
      clearTimeout(timer);
    },
  };
}
