/** The books of a batch of items: which are out, which have come back, and what is wrong. It asks nobody and waits for nothing. */
import { z } from 'zod';

/** An item as the queue sees it. */
export interface Dispatch {
  id: string;
  /** Names it in messages. */
  title: string;
  data: object;
}

/** What a worker gives back. */
export const envelopeSchema = z.strictObject({
  worker: z.string(),
  seconds: z.number(),
  /** JSON as text: PostgreSQL would sort the names in it, and data files have them in the order of the reward. */
  result: z.string(),
});
export type Envelope = z.infer<typeof envelopeSchema>;

/** Tries of an item in all, where what computes it fails. */
export const ITEM_TRIES = 3;
/**
 * How often an item may be lost with its worker. What computes runs in a process of its own, whose end is a failed try: a worker that is lost was
 * killed, or its machine was, and the item is hardly to blame.
 */
export const LOST_TRIES = 10;

/** An item that takes so many times as long as others do is a straggler, and how long it takes at least, in seconds. */
const STRAGGLER_TIMES = 3;
const STRAGGLER_SECONDS = 5;

interface Out {
  index: number;
  /** When a worker took it last; undefined while it waits. */
  startedMs?: number;
  /** Under which names it is in the queue beside its own. */
  again: string[];
}

export interface Batch {
  /** The next items to give out, at most so many; they are out from now on. */
  take(count: number): readonly Dispatch[];
  /** Items that have not been given out. */
  readonly left: number;
  /** Ids of the items that are out. */
  readonly out: ReadonlyMap<string, unknown>;
  /** Seconds that each item took that came back. */
  readonly durations: readonly number[];
  /** Tries that failed. */
  readonly failedTries: number;
  /** What stops the run. */
  readonly failure: Error | undefined;
  itemOf(id: string): Dispatch;
  /** A worker took a job. */
  started(job: string): void;
  /** A try of a job failed, and there will be another. */
  triedInVain(): void;
  /**
   * A job's result came; a second one of the same item is compared with the first.
   * @returns jobs that nobody needs any more
   */
  cameBack(job: string, value: unknown): readonly string[];
  /** A job failed for good. */
  failed(job: string, reason: string): void;
  /** Results that came since it was asked last. */
  arrivals(): { index: number; envelope: Envelope }[];
  /** Late items, each with a name under which it is out once more. */
  stragglers(): { job: string; item: Dispatch }[];
}

const AGAIN = /-again-\d+$/;
/** So begins what stops a run in one process; on a worker it is one try that ends. */
const STOPS = /^the run stops (?=at )/;

/** @param mayDiffer workers may compute other bits than each other: the first result of an item counts, and no other is compared with it */
export function createBatch(
  items: readonly Dispatch[],
  mayDiffer = false,
  nowMs: () => number = () => performance.now(),
): Batch {
  const out = new Map<string, Out>();
  const twice = new Map<string, Envelope>();
  const durations: number[] = [];
  let arrived: { index: number; envelope: Envelope }[] = [];
  let taken = 0;
  let failedTries = 0;
  let failure: Error | undefined;
  const itemOf = (id: string) => items[out.get(id)!.index];

  return {
    take(count) {
      const part = items.slice(taken, taken + count);
      for (const { id } of part) out.set(id, { index: taken++, again: [] });
      return part;
    },
    get left() {
      return items.length - taken;
    },
    out,
    durations,
    get failedTries() {
      return failedTries;
    },
    get failure() {
      return failure;
    },
    itemOf,
    started(job) {
      const entry = out.get(job.replace(AGAIN, ''));
      if (entry) entry.startedMs = nowMs();
    },
    triedInVain() {
      failedTries += 1;
    },
    cameBack(job, value) {
      const id = job.replace(AGAIN, '');
      const entry = out.get(id);
      const before = twice.get(id);
      if (!entry && !before) return [];
      const { data: envelope } = envelopeSchema.safeParse(value);
      if (!envelope) {
        failure ??= new Error(`a worker answers item ${id} with what is no answer: it is of another version`);
      } else if (before && before.result !== envelope.result) {
        failure ??= new Error(
          `the workers ${before.worker} and ${envelope.worker} gave different results for the same samples: they do not compute the same bits, so that the run would depend on who is faster; use machines of one kind`,
        );
      } else if (entry) {
        if (entry.again.length > 0 && !mayDiffer) twice.set(id, envelope);
        out.delete(id);
        durations.push(envelope.seconds);
        arrived.push({ index: entry.index, envelope });
        return [id, ...entry.again].filter((name) => name !== job);
      }
      return [];
    },
    failed(job, reason) {
      const id = job.replace(AGAIN, '');
      if (!out.has(id)) return;
      const what = reason.includes('stalled more than')
        ? `were lost ${LOST_TRIES} times with the workers that had them`
        : `failed ${ITEM_TRIES} times on workers, the last time: ${reason.replace(STOPS, '')}`;
      failure ??= new Error(`${itemOf(id).title} ${what}; the run stops and can be resumed`);
    },
    arrivals() {
      const results = arrived;
      arrived = [];
      return results;
    },
    stragglers() {
      if (durations.length === 0) return [];
      const usual = durations.toSorted((a, b) => a - b)[Math.floor(durations.length / 2)];
      const limitMs = 1000 * Math.max(STRAGGLER_SECONDS, STRAGGLER_TIMES * usual);
      const late = [...out].filter(
        ([, { startedMs }]) => startedMs !== undefined && nowMs() - startedMs >= limitMs,
      );
      return late.map(([id, entry]) => {
        const job = `${id}-again-${entry.again.length + 1}`;
        entry.again.push(job);
        entry.startedMs = undefined;
        return { job, item: itemOf(id) };
      });
    },
  };
}
