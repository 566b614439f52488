/**
 * The process that computes for a worker. ONNX Runtime blocks the thread it computes on, and may crash or hang: the process that holds the
 * queue's locks never computes, and ends this one where an item takes too long.
 */
import { fork, type ChildProcess } from 'node:child_process';
import type { OnNotice } from '../notice.js';
import { reportSchema, type Fault, type Order, type Report } from './executor-protocol.js';
import type { Offer, WorkerTraits } from './terms.js';

/** An item, or a run, cannot be done on this worker. */
export class ExecutorFault extends Error {
  override name = 'ExecutorFault';

  constructor(
    readonly fault: Fault,
    message: string,
  ) {
    super(message);
  }
}

export interface Executor {
  readonly device: string;
  readonly traits: WorkerTraits;
  /**
   * Opens what a run needs; what was open for another is closed.
   * @throws ExecutorFault saying why it cannot be had
   */
  open(run: string, offer: Offer): Promise<void>;
  /**
   * Does an item of the run that is open, one at a time.
   * @returns its result as JSON, and the seconds it took
   * @throws ExecutorFault
   */
  do(id: string, data: unknown): Promise<{ result: string; seconds: number }>;
  close(): Promise<void>;
}

export interface ExecutorOptions {
  /** The module that computes, and its arguments. */
  module: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /** After so long an item has hung. */
  itemMs: number;
  onNotice?: OnNotice;
}

/** How long the process may take to end when asked. */
const PATIENCE_MS = 5000;

type ReportOf<T extends Report['type']> = Extract<Report, { type: T }>;

/**
 * Starts the process and waits until it has its device.
 *
 * @throws Error in one sentence when it ends before, with what it said
 */
export async function openExecutor(options: ExecutorOptions): Promise<Executor> {
  const { module, args, env, itemMs, onNotice } = options;
  let current: { child: ChildProcess; ready: ReportOf<'ready'> } | undefined;
  /** What the process is asked for, one thing at a time. */
  let asked: { settle: (report: Report) => void; fail: (error: Error) => void } | undefined;

  function start(): Promise<ReportOf<'ready'>> {
    // Its words belong to this process's own, and Ctrl-C to this process alone.
    const child = fork(module, args, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true });
    return new Promise((resolve, reject) => {
      child.on('message', (message) => {
        const report = reportSchema.parse(message);
        if (report.type === 'notice') onNotice?.(report.message);
        else if (report.type === 'ready') {
          current = { child, ready: report };
          resolve(report);
        } else if (report.type === 'unusable') {
          child.disconnect();
          reject(new Error(report.reason));
        } else if (current?.child === child) asked?.settle(report);
      });
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        const how = signal === null ? `code ${code}` : signal;
        const error = new ExecutorFault('item', `the process that computes ended with ${how}`);
        reject(error);
        if (current?.child !== child) return;
        current = undefined;
        asked?.fail(error);
      });
    });
  }

  async function ask(order: Order, limitMs: number): Promise<Report> {
    if (!current)
      await start().catch(({ message }: Error) => {
        throw new ExecutorFault('item', message);
      });
    const { child } = current!;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Report>((settle, fail) => {
        asked = { settle, fail };
        timer = setTimeout(() => {
          child.kill('SIGKILL');
          // It may take a while to end: the next item goes to another.
          if (current?.child === child) current = undefined;
          fail(new ExecutorFault('item', `it took longer than ${Math.round(limitMs / 1000)} seconds`));
        }, limitMs);
        child.send(order, (error) => {
          if (error) fail(new ExecutorFault('item', 'the process that computes has ended'));
        });
      });
    } finally {
      clearTimeout(timer);
      asked = undefined;
    }
  }

  /** What was opened last: a new process has to open it again. */
  let wanted: { run: string; offer: Offer } | undefined;
  let isOpen = false;
  async function openRun(run: string, offer: Offer): Promise<void> {
    wanted = { run, offer };
    isOpen = false;
    // Models may have to come through a slow network first.
    const report = await ask({ type: 'open', run, offer }, 6 * itemMs);
    if (report.type === 'refused') throw new ExecutorFault(report.fault, report.reason);
    isOpen = true;
  }

  const { device, ...traits } = await start();
  return {
    device,
    traits,
    open: openRun,
    async do(id, data) {
      if (wanted && !(current && isOpen)) await openRun(wanted.run, wanted.offer).catch(ofTheWorker);
      const report = await ask({ type: 'item', id, data }, itemMs);
      if (report.type === 'failed') throw new ExecutorFault(report.fault, report.reason);
      const { result, seconds } = report as ReportOf<'result'>;
      return { result, seconds };
    },
    async close() {
      const { child } = current ?? {};
      if (!child) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** What a new process cannot open is the fault of no item. */
function ofTheWorker({ fault, message }: ExecutorFault): never {
  throw new ExecutorFault(fault === 'item' ? 'worker' : fault, message);
}
