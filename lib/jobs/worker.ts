import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { compiledModule, defaultThreads, type DeviceChoice } from '../engine/index.js';
import { openExecutor } from '../farm/executor.js';
import { connectQueue } from '../farm/queue.js';
import { TIMING } from '../farm/timing.js';
import { work } from '../farm/work.js';
import type { OnNotice } from '../notice.js';
import { tellingFirst } from '../plain-error.js';
import { openAtOnce, releaseAll } from '../release.js';
import type { ExecutorArguments } from './executor-process.js';

/** What a worker is started with. */
export interface WorkerOptions {
  /** Of the queue: redis://HOST:PORT, rediss://..., postgres://... */
  address: string;
  /** Where to compute; default "auto", as in `chooseDevice`. */
  device?: DeviceChoice;
  tf32?: boolean;
  /** Items at once, each in a process with a share of the threads; default 1. */
  concurrency?: number;
  /** Files and addresses of rewards that runs may be scored by. */
  rewards?: readonly string[];
  /** What it is called; default "HOST-PID". */
  name?: string;
  /** How long it may be silent before its items go to others; default 30. */
  lockSeconds?: number;
  /** Ends it, after the items that it has. */
  signal: AbortSignal;
  /** Is told what a person should know. */
  onNotice?: OnNotice;
}

/**
 * Samples and scores for runs that are started with `workers` on the same queue, until its signal comes.
 *
 * @throws Error in one sentence when the queue, the device or a reward cannot be had, or the disk is full
 */
export const runWorker = tellingFirst(async function (options: WorkerOptions): Promise<void> {
  const { address, device = 'auto', tf32 = false, concurrency = 1, rewards = [], lockSeconds } = options;
  const { name, signal, onNotice } = options;
  await using connection = await connectQueue(address, { onNotice });
  const args: ExecutorArguments = { device, tf32, rewards };
  const executor = {
    module: fileURLToPath(compiledModule('./executor-process.js', import.meta.url)),
    args: [JSON.stringify(args)],
    env: {
      ...process.env,
      ...(concurrency > 1 && { SPEECH_DPO_THREADS: String(shareOfThreads(concurrency)) }),
    },
    itemMs: TIMING.itemMs,
    onNotice,
  };
  const executors = await openAtOnce(
    Array.from({ length: concurrency }, () => openExecutor(executor)),
    (each) => each.close(),
  );
  try {
    onNotice?.(`works on ${executors[0].device}, for runs at ${connection.address}`);
    const timing = lockSeconds === undefined ? {} : { lockMs: 1000 * lockSeconds };
    await work(connection, { name, executors, signal, onNotice, timing });
  } finally {
    await releaseAll(executors.map((each) => () => each.close()));
  }
});

const shareOfThreads = (concurrency: number): number =>
  Math.max(1, Math.floor(Math.min(defaultThreads(), availableParallelism()) / concurrency));
