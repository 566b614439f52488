/** The queue that a run and its workers meet in: BullMQ on Redis or on PostgreSQL. Its packages are loaded only where a queue is named. */
import type { Processor, Queue, QueueEvents, QueueOptions, Worker, WorkerOptions } from 'bullmq';
import type { OnNotice } from '../notice.js';
import { loadPackage, type Options } from './backend.js';
import { connectPostgres } from './postgres.js';
import { connectRedis } from './redis.js';

/** A server that answers. It may go away and come back: the connection mends itself, and what is asked meanwhile waits. */
export interface QueueConnection extends AsyncDisposable {
  /** Without a password. */
  readonly address: string;
  readonly bullmq: typeof import('bullmq');
  /** One for each name. */
  queue(name: string, options?: Options<QueueOptions>): Queue;
  events(name: string): QueueEvents;
  worker(name: string, processor: Processor, options: Options<WorkerOptions>): Worker;
  /** Whether an error says that the server is away, perhaps for a while. */
  isAway(error: unknown): boolean;
  /** The server's time, in milliseconds as those of `Date.now`. */
  nowMs(): Promise<number>;
  /** Closes everything that was opened through it, also while the server is away. */
  close(): Promise<void>;
}

/**
 * Connects with the server of a queue and makes sure that it can be used.
 *
 * @param address redis://HOST:PORT, rediss://... (TLS), postgres://... or postgresql://...; user, password and database as usual
 * @param options.onNotice is told what may lose items
 * @throws Error in one sentence, without the password, when a package is missing or the server cannot be used
 */
export async function connectQueue(
  address: string,
  { onNotice }: { onNotice?: OnNotice } = {},
): Promise<QueueConnection> {
  const scheme = /^(\w+):\/\/[^/]/.exec(address)?.[1].toLowerCase();
  const isRedis = scheme === 'redis' || scheme === 'rediss';
  if (!isRedis && scheme !== 'postgres' && scheme !== 'postgresql')
    throw new Error(
      `"${scheme ? `${scheme}://...` : address.replace(/^.*@/s, '…@')}" is no address of a queue: write redis://HOST:PORT, rediss://HOST:PORT or postgres://USER@HOST:PORT/DATABASE`,
    );
  if (!isReadable(address))
    throw new Error(
      `the address of the queue cannot be read: write ${scheme}://USER:PASSWORD@HOST:PORT, and in a password %40 for an @ and %25 for a %`,
    );
  const bullmq = await loadPackage(() => import('bullmq'), isRedis);
  const backend = await (isRedis ? connectRedis : connectPostgres)(address, bullmq, onNotice);
  const queues = new Map<string, Queue>();
  const opened: { close(): Promise<void> }[] = [];
  // It connects again by itself; without a listener its errors would end the process.
  const keep = <T extends Queue | QueueEvents | Worker>(each: T): T => {
    (each as Queue).on('error', () => undefined);
    opened.push(each);
    return each;
  };
  const close = async () => {
    await backend.close(Promise.all(opened.map((each) => each.close().catch(() => undefined))));
    for (const each of opened) stopTimers(each);
  };
  return {
    address: backend.address,
    bullmq,
    queue(name, options = {}) {
      const queue = queues.get(name) ?? keep(backend.queue(name, options));
      queues.set(name, queue);
      return queue;
    },
    events: (name) => keep(backend.events(name)),
    worker: (name, processor, options) => keep(backend.worker(name, processor, options)),
    isAway: (error) => backend.isAway(error),
    nowMs: () => backend.nowMs(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What clients take out of an address they decode, and some throw at a % that begins no byte. */
function isReadable(address: string): boolean {
  try {
    decodeURIComponent(new URL(address).href);
    return true;
  } catch {
    return false;
  }
}

/** A worker that could not say goodbye has timers left, which would keep its process alive; BullMQ offers no other way to end them. */
function stopTimers(part: object): void {
  const worker = part as { stalledCheckStopper?: () => void; lockManager?: { close(): Promise<void> } };
  worker.stalledCheckStopper?.();
  void worker.lockManager?.close();
}
