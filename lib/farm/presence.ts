/**
 * Who is there: runs and workers say it in two queues of their own, as jobs that nobody does, and say it again every few seconds. What they
 * say is for people to see and for workers to choose by; no result depends on it. When it was said is told by the server's clock, since those of
 * machines differ.
 */
import type { Queue } from 'bullmq';
import { z } from 'zod';
import type { QueueConnection } from './queue.js';
import { patience } from './timing.js';

const count = z.number().int().min(0);

const workerSchema = z.strictObject({
  kind: z.literal('worker'),
  name: z.string(),
  host: z.string(),
  pid: count,
  version: z.string(),
  /** "the CPU, 2 threads". */
  device: z.string(),
  /** The kind of device (`kindOf`). */
  computes: z.string(),
  state: z.enum(['preparing', 'working', 'idle', 'refuses']),
  /** The run that it works for. */
  run: z.string().optional(),
  /** Runs that it takes no part in, and why. */
  refusals: z.array(z.strictObject({ run: z.string(), title: z.string(), reason: z.string() })),
  /** Items done, and seconds spent on them. */
  items: count,
  seconds: z.number(),
  startedAt: z.string(),
});
export type WorkerRecord = z.infer<typeof workerSchema>;

const runSchema = z.strictObject({
  kind: z.literal('run'),
  id: z.string(),
  title: z.string(),
  /** What workers must be, which other versions of speech-dpo may say otherwise. */
  terms: z.unknown(),
  counts: z.strictObject({ waiting: count, running: count, done: count, total: count }).optional(),
});
export type PresentRun = z.infer<typeof runSchema>;

/** A directory's queue, and what it holds. */
const DIRECTORIES = {
  workers: { queue: 'speech-dpo-workers', schema: workerSchema },
  runs: { queue: 'speech-dpo-runs', schema: runSchema },
} as const;
export type Directory = keyof typeof DIRECTORIES;
export type RecordOf<D extends Directory> = z.infer<(typeof DIRECTORIES)[D]['schema']>;

const BEAT_MS = 5000;
/** Who has said nothing for so long is gone. */
const GONE_MS = 30_000;
/** Records of whoever left without a word are removed after so long. */
const FORGOTTEN_MS = 24 * 3_600_000;

/** How long a server may take to hear a goodbye. */
const LEAVING_MS = 2000;

const savedSchema = z.strictObject({ seenAtMs: z.number(), record: z.unknown() });

export interface Announcement<D extends Directory> {
  /** Says what has changed, without waiting until it is heard. */
  update(record: RecordOf<D>): void;
  /** Takes the record away. */
  leave(): Promise<void>;
}

const openDirectory = (connection: QueueConnection, directory: Directory): Queue =>
  connection.queue(DIRECTORIES[directory].queue);

/** Says that somebody is there, and again every 5 seconds until it leaves. A record that the server lost is made anew. */
export async function announce<D extends Directory>(
  connection: QueueConnection,
  directory: D,
  id: string,
  first: RecordOf<D>,
): Promise<Announcement<D>> {
  const queue = openDirectory(connection, directory);
  let record = first;
  const save = async () => {
    const data = { seenAtMs: await connection.nowMs(), record };
    const job = await queue.getJob(jobId(id));
    if (job) await job.updateData(data);
    // Delayed for years, so that it is nobody's to do.
    else await queue.add(directory, data, { jobId: jobId(id), delay: 100 * 365 * 24 * 3_600_000 });
  };
  await save();
  let saving: Promise<void> | undefined;
  let isStale = false;
  // While the server is away nothing is said; what was true last is said when it is back.
  const say = (): void => {
    if (saving) {
      isStale = true;
      return;
    }
    saving = save()
      .catch(() => undefined)
      .finally(() => {
        saving = undefined;
        if (isStale) say();
      });
    isStale = false;
  };
  const timer = setInterval(say, BEAT_MS).unref();
  return {
    update(next) {
      record = next;
      say();
    },
    async leave() {
      clearInterval(timer);
      isStale = false;
      const leaving = async () => {
        await saving;
        await queue.remove(jobId(id));
      };
      await Promise.race([leaving().catch(() => undefined), patience(LEAVING_MS)]);
    },
  };
}

/** BullMQ wants no colon in a name, and not digits alone. */
const jobId = (id: string): string => `at-${id.replaceAll(':', '-')}`;

/** Those of a directory who have said something in the last half minute, the oldest first. */
export async function listPresent<D extends Directory>(
  connection: QueueConnection,
  directory: D,
): Promise<(RecordOf<D> & { seenSecondsAgo: number })[]> {
  const queue = openDirectory(connection, directory);
  const jobs = await queue.getJobs(['delayed']);
  const nowMs = await connection.nowMs();
  const present: (RecordOf<D> & { seenSecondsAgo: number })[] = [];
  for (const job of jobs.toSorted((a, b) => a.timestamp - b.timestamp)) {
    const saved = savedSchema.safeParse(job.data);
    const silentMs = saved.success ? nowMs - saved.data.seenAtMs : Infinity;
    if (silentMs > FORGOTTEN_MS) await job.remove().catch(() => undefined);
    // Another version's record may be otherwise: it is not for this one.
    const record = DIRECTORIES[directory].schema.safeParse(saved.data?.record);
    if (silentMs > GONE_MS || !record.success) continue;
    present.push({ ...(record.data as RecordOf<D>), seenSecondsAgo: Math.max(0, silentMs) / 1000 });
  }
  return present;
}

/** One that is there; undefined when it is gone. */
export async function findPresent<D extends Directory>(
  connection: QueueConnection,
  directory: D,
  id: string,
): Promise<RecordOf<D> | undefined> {
  const job = await openDirectory(connection, directory).getJob(jobId(id));
  const saved = savedSchema.safeParse(job?.data);
  if (!saved.success || (await connection.nowMs()) - saved.data.seenAtMs > GONE_MS) return undefined;
  return DIRECTORIES[directory].schema.safeParse(saved.data.record).data as RecordOf<D> | undefined;
}
