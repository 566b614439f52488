/** What the kinds of servers that a queue can be on have in common. */
import type { Processor, Queue, QueueEvents, QueueOptions, Worker, WorkerOptions } from 'bullmq';
import { certificateFault } from '../checkpoint/web.js';

/** What a queue's parts are opened with. */
export type Options<T> = Omit<T, 'connection'>;

/** What a kind of server is reached by. */
export interface Backend {
  readonly address: string;
  /** The three are made by BullMQ's classes, each with this server's own arguments. */
  queue(name: string, options: Options<QueueOptions>): Queue;
  events(name: string): QueueEvents;
  worker(name: string, processor: Processor, options: Options<WorkerOptions>): Worker;
  isAway(error: unknown): boolean;
  /** The server's time, which is one for all machines. */
  nowMs(): Promise<number>;
  /** @param parts ends when all parts are closed; a server that is away, or takes too long, is not waited for */
  close(parts: Promise<unknown>): Promise<void>;
}

/** How long a server may take to answer at first, or to say goodbye. */
export const PATIENCE_MS = 10_000;

/** @throws Error naming the command that installs what is missing */
export async function loadPackage<T>(load: () => Promise<T>, isRedis: boolean): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const packages = isRedis ? 'bullmq@6 ioredis@5' : 'bullmq@6 pg@8';
    throw new Error(`workers need packages that are not installed: npm install ${packages}`, {
      cause: error,
    });
  }
}

/** Why a server cannot be reached, of whatever kind it is. */
export function explainConnection(code: string, message: string, isTls: boolean): string {
  if (code === 'ECONNREFUSED') return 'connection refused: no server listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'no such host, or no network';
  if (code === 'ETIMEDOUT' || /timed? ?out/i.test(message))
    // Redis without TLS waits for more of what it takes for a command.
    return `it does not answer${isTls ? ', perhaps because it does not speak TLS: try redis:// in place of rediss://' : ''}`;
  if (isTls && /(wrong version number|packet length|EPROTO)/i.test(`${code} ${message}`))
    return 'it does not speak TLS: write redis:// in place of rediss://';
  const fault = certificateFault(code, message);
  if (fault) return fault;
  if (code === 'ECONNRESET' || /socket hang up|connection is closed|terminated/i.test(message))
    return 'it closes the connection, perhaps because it expects TLS';
  return message;
}
