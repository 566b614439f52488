/** What keeps a batch going in its queue: items are given out, and found again where no message told what became of them. */
import type { Queue } from 'bullmq';
import type { Batch } from './batch.js';

/** Items in the queue at once: what waits there takes the server's memory. */
const WINDOW = 2000;
const ADDED_AT_ONCE = 200;
/** So many looks at items that wait for their next try alone, and they are due. */
const DELAYED_LOOKS = 4;

/** How many items of a batch wait, or are in hand. */
export interface Counts {
  waiting: number;
  running: number;
}

/** Whether the queue holds few items of a batch that has more of them. */
export const isShort = ({ left, out }: Batch): boolean => left > 0 && out.size < WINDOW / 2;

/**
 * The upkeep of a queue, to be called about every second. It gives out items until the queue is full, those that wait too long for their next
 * try, those that are lost, and late ones once more.
 *
 * @returns takes a batch, and whether it has been quiet since the call before: then what is in the queue no more is looked for
 */
export function createUpkeep(queue: Queue): (batch: Batch, isQuiet: boolean) => Promise<Counts> {
  let delayedLooks = 0;
  return async (batch, isQuiet) => {
    await fill(queue, batch);
    const { wait, active, delayed } = await queue.getJobCounts('wait', 'active', 'delayed');
    const inQueue = wait + active + delayed;
    // When a try is due is said by the clock of the worker where the one before failed, which may be ahead.
    delayedLooks = delayed > 0 && inQueue === delayed ? delayedLooks + 1 : 0;
    if (delayedLooks >= DELAYED_LOOKS) await queue.promoteJobs();
    if (inQueue < batch.out.size && isQuiet) await sweep(queue, batch);
    if (batch.left === 0 && wait === 0)
      for (const { job, item } of batch.stragglers()) await queue.add('item', item.data, { jobId: job });
    return { waiting: wait + delayed + batch.left, running: active };
  };
}

async function fill(queue: Queue, batch: Batch): Promise<void> {
  while (batch.left > 0 && batch.out.size < WINDOW) {
    const part = batch.take(Math.min(ADDED_AT_ONCE, WINDOW - batch.out.size));
    await queue.addBulk(part.map(({ id, data }) => ({ name: 'item', data, opts: { jobId: id } })));
  }
}

/** Results of before, results whose message was lost, and items that the server lost. */
async function sweep(queue: Queue, batch: Batch): Promise<void> {
  for (const id of [...batch.out.keys()]) {
    const state = await queue.getJobState(id);
    if (!batch.out.has(id)) continue;
    const job = state === 'completed' || state === 'failed' ? await queue.getJob(id) : undefined;
    if (state === 'completed') batch.cameBack(id, job?.returnvalue);
    else if (state === 'failed') batch.failed(id, job?.failedReason ?? '');
    else if (state === 'unknown') await queue.add('item', batch.itemOf(id).data, { jobId: id });
  }
}
