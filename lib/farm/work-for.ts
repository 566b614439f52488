/** A worker at one run: it opens what the run needs, does its items, and leaves when it is wanted no more. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, Worker } from 'bullmq';
import type { OnNotice } from '../notice.js';
import type { Ask } from './ask.js';
import { LOST_TRIES, type Envelope } from './batch.js';
import { ExecutorFault, type Executor } from './executor.js';
import { isWantedElsewhere, type ChosenRun } from './choose-run.js';
import { createExecutorPool, type ExecutorPool } from './executor-pool.js';
import { queueName } from './dispatch.js';
import type { Introduced } from './introduce.js';
import { findPresent, listPresent } from './presence.js';
import type { QueueConnection } from './queue.js';
import type { Refusals } from './refusals.js';
import type { Timing } from './timing.js';

/** What a worker has, whichever run it works for. */
export interface Hand {
  connection: QueueConnection;
  executors: readonly Executor[];
  ask: Ask;
  introduced: Introduced;
  refusals: Refusals;
  timing: Timing;
  signal: AbortSignal;
  onNotice?: OnNotice;
}

/** A run that could not be opened, or whose files could not be had, is tried again after so long. */
const AGAIN_MS = 15_000;
/** How long the server may take to let an idle worker go, and how often it is looked whether it has. */
const LEAVING_MS = 5000;
const LEAVING_STEP_MS = 100;
/** How often a lost item is looked for, in a lock's time. */
const LOOKS_IN_A_LOCK = 3;
/** So many looks without an item, and the worker goes where it is wanted more. */
const IDLE_LOOKS = 5;

/**
 * Works for a run until that is over or offers something else, until another run has work while this one has none, or until the signal comes.
 * What cannot be had here is refused, and tried again after a while.
 *
 * @throws Error in one sentence when the worker's disk is full; the item goes back to the queue
 */
export async function workFor(hand: Hand, { run, offer }: ChosenRun): Promise<void> {
  const { connection, executors, ask, introduced, refusals, signal, onNotice } = hand;
  const { lockMs, lookMs } = hand.timing;
  try {
    await Promise.all(executors.map((executor) => executor.open(run.id, offer)));
  } catch (error) {
    if (!(error instanceof ExecutorFault)) throw error;
    if (error.fault === 'disk') throw diskFull(error);
    refusals.refuse(run, error.message, AGAIN_MS);
    return;
  }
  refusals.lift(run.id);
  onNotice?.(`works for ${run.title}`);
  const pool = createExecutorPool(executors, (state) => introduced.tell({ state }));
  let disk: Error | undefined;

  async function doJob(job: Job, token?: string): Promise<Envelope> {
    try {
      const { result, seconds } = await pool.do(job.id!, job.data);
      introduced.tellDone(seconds);
      return { worker: introduced.name, seconds, result };
    } catch (error) {
      if (!(error instanceof ExecutorFault)) throw error;
      if (error.fault === 'item') throw new Error(error.message, { cause: error });
      // Not the item's fault: another worker may do it.
      if (error.fault === 'disk') disk = diskFull(error);
      else refusals.refuse(run, error.message, AGAIN_MS);
      await job.moveToWait(token);
      throw new connection.bullmq.WaitingError();
    }
  }

  const worker = connection.worker(queueName(run.id), doJob, {
    name: introduced.name,
    concurrency: executors.length,
    lockDuration: lockMs,
    stalledInterval: Math.round(lockMs / LOOKS_IN_A_LOCK),
    maxStalledCount: LOST_TRIES - 1,
    runRetryDelay: lookMs,
  });
  introduced.tell({ state: 'idle' });
  try {
    while (!signal.aborted && !disk && !refusals.has(run.id)) {
      await sleep(lookMs, undefined, { signal }).catch(() => undefined);
      const isIdle = pool.idleMs() > IDLE_LOOKS * lookMs;
      const now = await ask(() => findPresent(connection, 'runs', run.id));
      if (!now || JSON.stringify(now.terms) !== JSON.stringify(run.terms)) break;
      if (!isIdle) continue;
      // Another run may have work while this one trains.
      const runs = (await ask(() => listPresent(connection, 'runs'))) ?? [];
      if (isWantedElsewhere(run.id, runs, refusals)) break;
    }
  } finally {
    await leave(worker, pool);
  }
  if (disk) throw disk;
  onNotice?.(`leaves ${run.title}`);
}

/** Items in hand end first; a server that is away is not waited for. */
async function leave(worker: Worker, pool: ExecutorPool): Promise<void> {
  let isClosed = false;
  const closing = worker
    .close()
    .catch(() => undefined)
    .finally(() => (isClosed = true));
  for (let waitedMs = 0; !isClosed && waitedMs < LEAVING_MS; waitedMs += LEAVING_STEP_MS) {
    await Promise.race([closing, sleep(LEAVING_STEP_MS)]);
    if (pool.isBusy()) waitedMs = 0;
  }
}

/** As the command line knows a full disk, by the system's code. */
function diskFull({ message }: ExecutorFault): Error {
  return new Error(message, { cause: Object.assign(new Error('no space left'), { code: 'ENOSPC' }) });
}
