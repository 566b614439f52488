/**
 * The trainer's side of the queue: hands items out and takes their results in, whatever becomes of workers, of the queue's server and of
 * messages on the way. A result is a pure function of its item's id, so that an item may be done twice without harm.
 */
import { isDeepStrictEqual } from 'node:util';
import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import type { FleetStatus } from '../run/events.js';
import { createFleet } from './fleet.js';
import { listPresent } from './presence.js';
import type { QueueConnection } from './queue.js';
import { TIMING, type Timing } from './timing.js';

/** An item as the queue sees it. */
export interface Dispatch {
  id: string;
  /** Names it in messages. */
  title: string;
  data: object;
}

export type Dispatched =
  /** The result of `items[index]`. */
  { type: 'result'; index: number; result: unknown } | { type: 'fleet'; status: FleetStatus };

export interface Dispatcher {
  /**
   * Gives items to the workers; each result comes once, in any order, and about every second how the workers stand. Results that are in
   * the queue already, as after a trainer was killed, are taken from there.
   *
   * @throws Error naming an item that failed three times, or that came back twice and not the same; when the queue is silent for too
   *   long; the signal's reason
   */
  gather(items: readonly Dispatch[]): AsyncGenerator<Dispatched>;
  /** Leaves the queue: empty where the run is over, else with the results that a resumed run goes on with. */
  close(isOver: boolean): Promise<void>;
}

/** What a worker gives back. */
export const envelopeSchema = z.strictObject({
  worker: z.string(),
  seconds: z.number(),
  result: z.unknown(),
});
export type Envelope = z.infer<typeof envelopeSchema>;

/** Tries of an item in all. */
export const ITEM_TRIES = 3;

/** Items in the queue at once: what waits there takes the server's memory. */
const WINDOW = 2000;
const ADDED_AT_ONCE = 200;
/** An item that takes so many times as long as others is given to a second worker, when none waits any more; and how long at least. */
const STRAGGLER_TIMES = 3;
const STRAGGLER_SECONDS = 5;
const AGAIN = /-again-\d+$/;

/** Results are kept for a day, for a run that is resumed. */
const JOB_OPTIONS: JobsOptions = {
  attempts: ITEM_TRIES,
  backoff: { type: 'fixed', delay: 1000 },
  removeOnComplete: { age: 24 * 3600 },
};

/** The queue of a run. */
export const queueName = (run: string): string => `speech-dpo-${run}`;

interface Pending {
  index: number;
  startedMs?: number;
  /** How often it was given out beside the first time. */
  again: number;
}

/**
 * Opens the queue of a run.
 *
 * @param run.id the same for a run that is resumed
 */
export async function openDispatcher(
  connection: QueueConnection,
  run: { id: string; signal?: AbortSignal; timing?: Partial<Timing> },
): Promise<Dispatcher> {
  const { lookMs, silenceMs } = { ...TIMING, ...run.timing };
  const { signal } = run;
  const queue = connection.queue(queueName(run.id), { defaultJobOptions: JOB_OPTIONS });
  const events = connection.events(queueName(run.id));
  const fleet = createFleet(run.id);
  await queue.waitUntilReady();
  await events.waitUntilReady();
  // What failed before the run was resumed is tried anew.
  while ((await queue.clean(0, 1000, 'failed')).length > 0);

  async function* gather(items: readonly Dispatch[]): AsyncGenerator<Dispatched> {
    const pending = new Map<string, Pending>();
    const twice = new Map<string, Envelope>();
    const arrived: { index: number; result: unknown }[] = [];
    const durations: number[] = [];
    let given = 0;
    let done = 0;
    let failedTries = 0;
    let failure: Error | undefined;
    let wake: () => void = () => undefined;

    const settle = (jobId: string, value: unknown) => {
      const id = jobId.replace(AGAIN, '');
      const before = twice.get(id);
      const entry = pending.get(id);
      if (!entry && !before) return;
      const envelope = envelopeSchema.safeParse(value);
      if (!envelope.success) {
        failure ??= new Error(`a worker answers item ${id} with what is no answer`);
      } else if (before && !isDeepStrictEqual(before.result, envelope.data.result)) {
        const workers = `${before.worker} and ${envelope.data.worker}`;
        failure ??= new Error(
          `the workers ${workers} gave different results for the same samples: they do not compute the same bits, so the run would depend on who is faster; use machines of one kind`,
        );
      } else if (entry) {
        const { worker, seconds, result } = envelope.data;
        if (entry.again > 0) twice.set(id, envelope.data);
        pending.delete(id);
        fleet.count(worker, seconds);
        durations.push(seconds);
        arrived.push({ index: entry.index, result });
      }
      wake();
    };
    const fail = (jobId: string, reason: string) => {
      const entry = pending.get(jobId.replace(AGAIN, ''));
      if (!entry) return;
      const why = reason.includes('stalled more than')
        ? 'each time the worker that had it died, or lost the queue'
        : `the last time: ${reason}`;
      failure ??= new Error(
        `${items[entry.index].title} failed ${ITEM_TRIES} times on workers, ${why}; the run stops and can be resumed`,
      );
      wake();
    };
    const handlers = {
      completed: ({ jobId, returnvalue }: { jobId: string; returnvalue: unknown }) => {
        settle(jobId, returnvalue);
      },
      failed: ({ jobId, failedReason }: { jobId: string; failedReason: string }) => {
        fail(jobId, failedReason);
      },
      active: ({ jobId }: { jobId: string }) => {
        const entry = pending.get(jobId.replace(AGAIN, ''));
        if (entry) entry.startedMs = performance.now();
      },
      delayed: () => void (failedTries += 1),
      stalled: () => void (failedTries += 1),
    };
    const onAbort = () => {
      wake();
    };

    async function giveOut(): Promise<void> {
      while (given < items.length && pending.size < WINDOW) {
        const part = items.slice(given, given + Math.min(ADDED_AT_ONCE, WINDOW - pending.size));
        const first = given;
        // Before they are in the queue: a result may come at once.
        for (const [i, { id }] of part.entries()) pending.set(id, { index: first + i, again: 0 });
        given += part.length;
        await queue.addBulk(part.map(({ id, data }) => ({ name: 'item', data, opts: { jobId: id } })));
      }
    }

    /** What no message told of: results of before, items that the server lost. */
    async function sweep(): Promise<void> {
      for (const [id, { index }] of [...pending]) {
        const state = await queue.getJobState(id);
        if (!pending.has(id)) continue;
        if (state === 'completed') settle(id, (await queue.getJob(id))?.returnvalue);
        else if (state === 'failed') fail(id, (await queue.getJob(id))?.failedReason ?? '');
        else if (state === 'unknown') await queue.add('item', items[index].data, { jobId: id });
      }
    }

    async function giveStragglersOutAgain(): Promise<void> {
      if (durations.length === 0) return;
      const usual = durations.toSorted((a, b) => a - b)[Math.floor(durations.length / 2)];
      const limitMs = 1000 * Math.max(STRAGGLER_SECONDS, STRAGGLER_TIMES * usual);
      for (const [id, entry] of pending) {
        if (entry.startedMs === undefined || performance.now() - entry.startedMs < limitMs) continue;
        entry.again += 1;
        entry.startedMs = undefined;
        await queue.add('item', items[entry.index].data, { jobId: `${id}-again-${entry.again}` });
      }
    }

    let status: FleetStatus = {
      workers: [],
      waiting: items.length,
      running: 0,
      failed: 0,
      done: 0,
      total: items.length,
    };
    let isFresh = false;
    let settledAtLastLook = -1;
    async function look(): Promise<void> {
      await giveOut();
      const counts = await queue.getJobCounts('wait', 'active', 'delayed');
      const inQueue = Object.values(counts).reduce((total, count) => total + count, 0);
      const isQuiet = durations.length === settledAtLastLook;
      settledAtLastLook = durations.length;
      if (inQueue < pending.size && isQuiet) await sweep();
      if (given === items.length && counts.wait === 0) await giveStragglersOutAgain();
      fleet.see(await listPresent(connection, 'workers'));
      status = {
        workers: fleet.workers(),
        waiting: counts.wait + counts.delayed + items.length - given,
        running: counts.active,
        failed: failedTries,
        done: durations.length,
        total: items.length,
        remainingSeconds: fleet.remainingSeconds(items.length - durations.length),
      };
      isFresh = true;
    }

    for (const [name, handler] of Object.entries(handlers)) events.on(name as 'completed', handler as never);
    signal?.addEventListener('abort', onAbort, { once: true });
    let looking: Promise<void> | undefined;
    let lookedMs = -Infinity;
    let answeredMs = performance.now();
    let shownMs = -Infinity;
    try {
      while (done < items.length) {
        signal?.throwIfAborted();
        const isDue = performance.now() - lookedMs >= lookMs;
        const isLow = given < items.length && pending.size < WINDOW / 2;
        if (!looking && (isDue || isLow)) {
          lookedMs = performance.now();
          looking = look()
            .then(() => void (answeredMs = performance.now()))
            .catch((error: unknown) => {
              if (!connection.isAway(error)) failure ??= error as Error;
            })
            .finally(() => {
              looking = undefined;
              wake();
            });
        }
        if (arrived.length === 0 && !failure) {
          await new Promise<void>((resolve) => {
            wake = resolve;
            setTimeout(resolve, Math.max(1, lookedMs + lookMs - performance.now()));
          });
        }
        if (failure) throw failure;
        for (const { index, result } of arrived.splice(0)) {
          done += 1;
          yield { type: 'result', index, result };
        }
        const silentMs = performance.now() - answeredMs;
        if (silentMs > silenceMs)
          throw new Error(
            `the queue at ${connection.address} has not answered for ${Math.round(silenceMs / 60_000)} minutes; the run stops and can be resumed`,
          );
        const isSilent = silentMs > 10 * lookMs;
        if (!isFresh && !(isSilent && performance.now() - shownMs > lookMs)) continue;
        isFresh = false;
        shownMs = performance.now();
        const trouble = isSilent
          ? `the queue at ${connection.address} does not answer`
          : whatIsMissing(status);
        yield { type: 'fleet', status: { ...status, ...(trouble && { trouble }) } };
      }
    } finally {
      for (const [name, handler] of Object.entries(handlers))
        events.off(name as 'completed', handler as never);
      signal?.removeEventListener('abort', onAbort);
      await looking?.catch(() => undefined);
    }
    // The run has them.
    while ((await queue.clean(0, 1000, 'completed')).length > 0);
  }

  /** Nobody works. */
  function whatIsMissing({ workers }: FleetStatus): string | undefined {
    if (workers.some(({ state }) => state !== 'refuses' && state !== 'gone')) return undefined;
    const refusing = workers.filter(({ state }) => state === 'refuses').length;
    const refused = refusing > 0 ? `; ${refusing} refused` : '';
    return `no worker takes part${refused}: start one with "speech-dpo worker ${connection.address}" on any machine`;
  }

  return {
    gather,
    async close(isOver) {
      const leaving = isOver ? queue.obliterate({ force: true }) : queue.drain(true);
      await Promise.race([
        leaving.catch(() => undefined),
        new Promise((resolve) => setTimeout(resolve, 5000).unref()),
      ]);
      await events.close();
    },
  };
}
