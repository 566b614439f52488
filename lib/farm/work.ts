/** A worker: looks for a run that it fits, does the run's items one after the other, and says how it stands. */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'bullmq';
import type { OnNotice } from '../notice.js';
import { BenchFault, type Bench } from './bench.js';
import { LOST_TRIES, type Envelope } from './batch.js';
import { queueName } from './dispatch.js';
import {
  announce,
  findPresent,
  listPresent,
  type PresentRun as RunRecord,
  type WorkerRecord,
} from './presence.js';
import type { QueueConnection } from './queue.js';
import { offerSchema, refusalOf, type Offer } from './terms.js';
import { TIMING, type Timing } from './timing.js';

export interface WorkOptions {
  /** Default "HOST-PID", which follows the name that another worker has. */
  name?: string;
  /** Each does one item at a time. */
  benches: readonly Bench[];
  signal: AbortSignal;
  /** Is told what a person should know: runs that begin and end, refusals, and why. */
  onNotice?: OnNotice;
  timing?: Partial<Timing>;
}

/** A run that could not be opened, or whose files could not be had, is tried again after so long. */
const AGAIN_MS = 15_000;
/** How long the server may take to let an idle worker go, and how often it is looked whether it has. */
const LEAVING_MS = 5000;
const LEAVING_STEP_MS = 100;
/** How often a lost item is looked for, in a lock's time. */
const LOOKS_IN_A_LOCK = 3;

/**
 * Works until the signal comes. Then it ends its items first, which takes seconds; whoever has no time kills it, and other workers do them.
 *
 * @throws Error in one sentence when the worker's disk is full; the item goes back to the queue
 */
export async function work(connection: QueueConnection, options: WorkOptions): Promise<void> {
  const { benches, signal, onNotice } = options;
  const { lockMs, lookMs } = { ...TIMING, ...options.timing };
  const [{ device, traits }] = benches;
  /** What the queue's server answers, which is asked again while it is away; undefined once the signal comes. */
  async function ask<T>(question: () => Promise<T>): Promise<T | undefined> {
    while (!signal.aborted) {
      try {
        return await untilAborted(signal, question());
      } catch (error) {
        if (!connection.isAway(error)) throw error;
        await sleep(lookMs, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  const host = hostname();
  const own = `${host}-${process.pid}`;
  const { name: given = own } = options;
  // By its name a worker says that it is there, and its results are counted.
  const isTaken = given !== own && (await ask(() => findPresent(connection, 'workers', given))) !== undefined;
  const name = isTaken ? `${given}-${own}` : given;
  if (name !== given) onNotice?.(`another worker is called ${given}: this one is called ${name}`);
  const record: WorkerRecord = {
    kind: 'worker',
    ...{
      name,
      host,
      pid: process.pid,
      device,
      computes: traits.computes,
      version: traits.versions['speech-dpo'],
    },
    ...{ state: 'idle', refusals: [], items: 0, seconds: 0, startedAt: new Date().toISOString() },
  };
  const announcement = await ask(() => announce(connection, 'workers', name, record));
  if (!announcement) return;
  const tell = (changes: Partial<WorkerRecord>) => announcement.update(Object.assign(record, changes));
  /** Why runs are refused, and until when without another look. */
  const refused = new Map<string, { reason: string; untilMs: number }>();
  let disk: Error | undefined;

  function refuse(run: RunRecord, reason: string, forMs: number): void {
    if (refused.get(run.id)?.reason !== reason) onNotice?.(`takes no part in ${run.title}: ${reason}`);
    refused.set(run.id, { reason, untilMs: performance.now() + forMs });
  }

  /** By age. */
  async function listRuns(): Promise<RunRecord[]> {
    return (await ask(() => listPresent(connection, 'runs'))) ?? [];
  }

  /** The oldest run that this worker fits and that has work for it; where none has, the oldest that it fits. */
  async function findRun(): Promise<{ run: RunRecord; offer: Offer } | undefined> {
    const runs = await listRuns();
    for (const id of refused.keys()) if (!runs.some((run) => run.id === id)) refused.delete(id);
    const fitting: { run: RunRecord; offer: Offer }[] = [];
    for (const run of runs) {
      const offer = offerSchema.safeParse(run.terms);
      const reason = offer.success
        ? refusalOf(offer.data.terms, traits)
        : 'its terms cannot be read: it is of another version of speech-dpo; install the same on both';
      if (reason !== undefined) refuse(run, reason, 0);
      const until = refused.get(run.id)?.untilMs ?? 0;
      if (offer.success && reason === undefined && until < performance.now())
        fitting.push({ run, offer: offer.data });
    }
    const found = fitting.find(({ run }) => hasWork(run)) ?? fitting.at(0);
    const refusals = runs.flatMap(({ id, title }) => {
      const reason = refused.get(id)?.reason;
      return reason === undefined ? [] : [{ run: id, title, reason }];
    });
    tell({
      state: found ? 'preparing' : refusals.length > 0 ? 'refuses' : 'idle',
      run: found?.run.id,
      refusals,
    });
    return found;
  }

  async function workFor({ run, offer }: { run: RunRecord; offer: Offer }): Promise<void> {
    try {
      await Promise.all(benches.map((bench) => bench.open(run.id, offer)));
    } catch (error) {
      if (!(error instanceof BenchFault)) throw error;
      if (error.fault === 'disk') throw diskFull(error);
      refuse(run, error.message, AGAIN_MS);
      return;
    }
    refused.delete(run.id);
    onNotice?.(`works for ${run.title}`);
    const { WaitingError } = connection.bullmq;
    const free = [...benches];
    let lastMs = performance.now();
    async function doItem(id: string, data: unknown): Promise<{ result: string; seconds: number }> {
      const bench = free.pop()!;
      tell({ state: 'working' });
      try {
        return await bench.do(id, data);
      } finally {
        free.push(bench);
        lastMs = performance.now();
        if (free.length === benches.length) tell({ state: 'idle' });
      }
    }
    const worker: Worker = connection.worker(
      queueName(run.id),
      async (job, token) => {
        try {
          const { result, seconds } = await doItem(job.id!, job.data);
          tell({ items: record.items + 1, seconds: record.seconds + seconds });
          return { worker: name, seconds, result } satisfies Envelope;
        } catch (error) {
          if (!(error instanceof BenchFault)) throw error;
          if (error.fault === 'item') throw new Error(error.message, { cause: error });
          // Not the item's fault: another worker may do it.
          if (error.fault === 'disk') disk = diskFull(error);
          else refuse(run, error.message, AGAIN_MS);
          await job.moveToWait(token);
          throw new WaitingError();
        }
      },
      {
        name,
        concurrency: benches.length,
        lockDuration: lockMs,
        stalledInterval: Math.round(lockMs / LOOKS_IN_A_LOCK),
        maxStalledCount: LOST_TRIES - 1,
        runRetryDelay: lookMs,
      },
    );
    tell({ state: 'idle' });
    try {
      while (!signal.aborted && !disk && !refused.has(run.id)) {
        await sleep(lookMs, undefined, { signal }).catch(() => undefined);
        const isIdle = performance.now() - lastMs > 5 * lookMs && free.length === benches.length;
        const now = await ask(() => findPresent(connection, 'runs', run.id));
        if (!now || JSON.stringify(now.terms) !== JSON.stringify(run.terms)) break;
        // Another run may have work while this one trains.
        if (isIdle && (await isWantedElsewhere(run.id))) break;
      }
    } finally {
      await leave(worker, free);
    }
    if (disk) throw disk;
    onNotice?.(`leaves ${run.title}`);
  }

  /** Items in hand end first; a server that is away is not waited for. */
  async function leave(worker: Worker, free: readonly Bench[]): Promise<void> {
    let isClosed = false;
    const closing = worker
      .close()
      .catch(() => undefined)
      .finally(() => (isClosed = true));
    for (let waitedMs = 0; !isClosed && waitedMs < LEAVING_MS; waitedMs += LEAVING_STEP_MS) {
      await Promise.race([closing, sleep(LEAVING_STEP_MS)]);
      if (free.length < benches.length) waitedMs = 0;
    }
  }

  async function isWantedElsewhere(run: string): Promise<boolean> {
    const runs = await listRuns();
    return runs.some((other) => other.id !== run && hasWork(other) && !refused.has(other.id));
  }

  try {
    while (!signal.aborted) {
      const found = await findRun();
      if (found) await workFor(found);
      else await sleep(2 * lookMs, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await announcement.leave();
  }
}

const hasWork = ({ counts }: RunRecord): boolean => (counts?.waiting ?? 0) > 0;

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

/** As the command line knows a full disk, by the system's code. */
function diskFull({ message }: BenchFault): Error {
  return new Error(message, { cause: Object.assign(new Error('no space left'), { code: 'ENOSPC' }) });
}
