/** The queue that a run and its workers meet in: BullMQ on Redis or on PostgreSQL. */
import type { Processor, Queue, QueueEvents, QueueOptions, Worker, WorkerOptions } from 'bullmq';
import { withoutPassword } from '../checkpoint/environment.js';
import type { OnNotice } from '../notice.js';

type Options<T> = Omit<T, 'connection'>;

export interface QueueConnection {
  /** Without a password. */
  readonly address: string;
  /** The package, which is loaded only where a queue is asked for. */
  readonly bullmq: typeof import('bullmq');
  /** One for each name, which is closed with the connection. */
  queue(name: string, options?: Options<QueueOptions>): Queue;
  events(name: string): QueueEvents;
  worker(name: string, processor: Processor, options: Options<WorkerOptions>): Worker;
  /** Whether an error says that the server is away, for a while perhaps. */
  isLost(error: unknown): boolean;
  close(): Promise<void>;
}

/** @throws Error in one sentence when the packages are missing or the server cannot be used */
export async function connectQueue(
  address: string,
  _: { onNotice?: OnNotice } = {},
): Promise<QueueConnection> {
  const bullmq = await import('bullmq');
  const { Redis } = await import('ioredis');
  const shared = new Redis(address, { maxRetriesPerRequest: null });
  shared.on('error', () => undefined);
  await shared.ping();
  const queues = new Map<string, Queue>();
  const open: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void>; on(event: 'error', listener: () => void): unknown }>(
    each: T,
  ): T => {
    each.on('error', () => undefined);
    open.push(each);
    return each;
  };
  return {
    address: withoutPassword(address),
    bullmq,
    queue(name, options) {
      const queue = queues.get(name) ?? keep(new bullmq.Queue(name, { ...options, connection: shared }));
      queues.set(name, queue);
      return queue;
    },
    events: (name) => keep(new bullmq.QueueEvents(name, { connection: shared })),
    worker: (name, processor, options) =>
      keep(new bullmq.Worker(name, processor, { ...options, connection: shared })),
    isLost: () => true,
    async close() {
      await Promise.all(open.map((each) => each.close().catch(() => undefined)));
      shared.disconnect();
    },
  };
}
