/**
 * The trainer's side of the queue: hands items out and takes their results in, whatever becomes of workers, of the queue's server and of
 * messages on the way. A result is a pure function of its item's id, so that an item may be done twice without harm.
 */
import type { JobsOptions } from 'bullmq';
import type { FleetStatus } from '../run/events.js';
import { createBatch, ITEM_TRIES, type Batch, type Dispatch } from './batch.js';
import { createFleet } from './fleet.js';
import { listPresent } from './presence.js';
import type { QueueConnection } from './queue.js';
import { patience, TIMING, type Timing } from './timing.js';

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

/** Items in the queue at once: what waits there takes the server's memory. */
const WINDOW = 2000;
const ADDED_AT_ONCE = 200;
/** Jobs that are removed in one call, of whatever time: they have that of the worker that ended them, whose clock may be ahead. */
const CLEANED_AT_ONCE = 1000;
const AHEAD_MS = 365 * 24 * 3_600_000;
/** So many looks without an answer, and the server is said to be away. */
const SILENT_LOOKS = 10;
/** So many looks at items that wait for their next try alone, and they are due. */
const DELAYED_LOOKS = 4;
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
  const { lookMs, silenceMs } = { ...TIMING, ...run.timing };
  const { signal } = run;
  const queue = connection.queue(queueName(run.id), { defaultJobOptions: JOB_OPTIONS });
  const events = connection.events(queueName(run.id));
  const fleet = createFleet(run.id);
  let delayedLooks = 0;
  const clean = async (state: 'failed' | 'completed') => {
    while ((await queue.clean(-AHEAD_MS, CLEANED_AT_ONCE, state)).length > 0);
  };
  await queue.waitUntilReady();
  await events.waitUntilReady();
  // What failed before the run was resumed is tried anew.
  await clean('failed');

  /** Keeps the queue filled, finds what no message told of, and says how all stands. */
  async function look(batch: Batch, isQuiet: boolean): Promise<FleetStatus> {
    while (batch.left > 0 && batch.out.size < WINDOW) {
      const part = batch.take(Math.min(ADDED_AT_ONCE, WINDOW - batch.out.size));
      await queue.addBulk(part.map(({ id, data }) => ({ name: 'item', data, opts: { jobId: id } })));
    }
    const counts = await queue.getJobCounts('wait', 'active', 'delayed');
    const inQueue = counts.wait + counts.active + counts.delayed;
    // When a try is due is said by the clock of the worker where the one before failed, which may be ahead.
    delayedLooks = counts.delayed > 0 && inQueue === counts.delayed ? delayedLooks + 1 : 0;
    if (delayedLooks >= DELAYED_LOOKS) await queue.promoteJobs();
    if (inQueue < batch.out.size && isQuiet) await sweep(batch);
    if (batch.left === 0 && counts.wait === 0)
      for (const { job, item } of batch.stragglers()) await queue.add('item', item.data, { jobId: job });
    fleet.see(await listPresent(connection, 'workers'));
    const { durations, left, failedTries } = batch;
    const total = durations.length + batch.out.size + left;
    return {
      workers: fleet.workers(),
      waiting: counts.wait + counts.delayed + left,
      running: counts.active,
      failed: failedTries,
      done: durations.length,
      total,
      remainingSeconds: fleet.remainingSeconds(total - durations.length),
    };
  }

  /** Results of before, results whose message was lost, and items that the server lost. */
  async function sweep(batch: Batch): Promise<void> {
    for (const id of [...batch.out.keys()]) {
      const state = await queue.getJobState(id);
      if (!batch.out.has(id)) continue;
      const job = state === 'completed' || state === 'failed' ? await queue.getJob(id) : undefined;
      if (state === 'completed') batch.cameBack(id, job?.returnvalue);
      else if (state === 'failed') batch.failed(id, job?.failedReason ?? '');
      else if (state === 'unknown') await queue.add('item', batch.itemOf(id).data, { jobId: id });
    }
  }

  /** Tells the batch what the queue tells; ends that when called. */
  function listen(batch: Batch, onNews: () => void): () => void {
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

  /** A look gives out items, also those of a batch that nobody waits for any more. */
  let lastLook: Promise<void> = Promise.resolve();

  async function* gather(items: readonly Dispatch[]): AsyncGenerator<Dispatched> {
    const batch = createBatch(items, run.mayDiffer);
    const bell = createBell();
    const silence = listen(batch, bell.ring);
    signal?.addEventListener('abort', bell.ring, { once: true });
    let status: FleetStatus | undefined;
    let looking = false;
    let failure: unknown;
    let [lookedMs, answeredMs, shownMs] = [-Infinity, performance.now(), -Infinity];
    let cameBefore = -1;

    /** How all stands where the queue tells nothing. */
    const unseen = (done: number): FleetStatus => {
      const { length: total } = items;
      const { failedTries: failed } = batch;
      return { workers: fleet.workers(), waiting: total - done, running: 0, failed, done, total };
    };

    const startLook = () => {
      looking = true;
      lookedMs = performance.now();
      const came = batch.durations.length;
      lastLook = look(batch, came === cameBefore)
        .then(
          (seen) => {
            status = seen;
            answeredMs = performance.now();
          },
          (error: unknown) => {
            if (!connection.isAway(error)) failure = error;
          },
        )
        .finally(() => {
          looking = false;
          bell.ring();
        });
      cameBefore = came;
    };

    try {
      for (let done = 0; done < items.length;) {
        signal?.throwIfAborted();
        const nowMs = performance.now();
        const isLow = batch.left > 0 && batch.out.size < WINDOW / 2;
        if (!looking && (nowMs - lookedMs >= lookMs || isLow)) startLook();
        const arrivals = batch.arrivals();
        for (const { index, envelope } of arrivals) {
          done += 1;
          fleet.count(envelope.worker, envelope.seconds);
          yield { type: 'result', index, result: envelope.result };
        }
        if (batch.failure ?? failure) {
          // What led to it has come since the last look.
          if (status) yield { type: 'fleet', status: { ...status, failed: batch.failedTries } };
          throw (batch.failure ?? failure) as Error;
        }
        const silentMs = nowMs - answeredMs;
        if (silentMs > silenceMs)
          throw new Error(
            `the queue at ${connection.address} has not answered for ${Math.round(silenceMs / 60_000)} minutes; the run stops and can be resumed`,
          );
        const isAway = silentMs > SILENT_LOOKS * lookMs;
        if ((isAway || (status && shownMs < answeredMs)) && nowMs - shownMs >= lookMs / 2) {
          shownMs = nowMs;
          // A server may be away from the first look on.
          const seen = status ?? unseen(done);
          yield { type: 'fleet', status: { ...seen, ...troubleOf(seen, isAway) } };
        }
        if (arrivals.length === 0 && done < items.length) await bell.wait(lookMs);
      }
      // Who did the last ones.
      if (items.length > 0) yield { type: 'fleet', status: unseen(items.length) };
    } finally {
      silence();
      signal?.removeEventListener('abort', bell.ring);
    }
    // The run has them; where the server is away, they age.
    clean('completed').catch(() => undefined);
  }

  /** What a person has to mend. */
  function troubleOf({ workers }: FleetStatus, isAway: boolean): Pick<FleetStatus, 'trouble'> {
    if (isAway) return { trouble: `the queue at ${connection.address} does not answer` };
    if (workers.some(({ state }) => state !== 'refuses' && state !== 'gone')) return {};
    const refusing = workers.filter(({ state }) => state === 'refuses').length;
    const refused = refusing > 0 ? `; ${refusing} refused` : '';
    return {
      trouble: `no worker takes part${refused}: start one on any machine: npx speech-dpo worker ${connection.address}`,
    };
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
