/** The main thread's side of a device that works in a thread of its own, so that the event loop of the caller stays free. */
import { Worker } from 'node:worker_threads';
import { EngineError, EngineStopped } from '../../errors.js';
import { ownMemory } from './owned.js';
import type { Callable, Reply, Request } from './protocol.js';

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
  onEvent?: (event: unknown) => void;
  /** Its stack says who asked. */
  asked: Error;
}

/** Devices whose workers run. */
const running = new Set<{ close(): Promise<void> }>();

/**
 * Closes every worker of this process. To be waited for before `process.exit`, which stops threads wherever they are: where that is in
 * ONNX Runtime, the process dies of SIGABRT.
 */
export async function closeDevices(): Promise<void> {
  await Promise.all([...running].map((device) => device.close()));
}

/**
 * One worker thread that answers a table of calls (`serve`), in their order. It starts with the first call, so that a device nobody uses
 * costs nothing, and keeps the process alive only while a call is under way.
 */
export class ThreadDevice<Calls extends Callable<Calls>> {
  readonly #module: string;
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #ended: EngineStopped | undefined;
  /** Nobody has taken them yet. */
  readonly #notices: string[] = [];

  /** @param module the address of the worker's module (`compiledModule`) */
  constructor(module: string) {
    this.#module = module;
  }

  /** False once the worker is closed or has died: every call is rejected. */
  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  #start(): Worker {
    const worker = new Worker(new URL(this.#module), {
      // Options of the caller's process, such as --input-type, are not for this file.
      execArgv: [],
      // What a call allocates is garbage after it, of which V8 would let 50 MB come together in a thread. Collecting it earlier takes no longer.
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    worker.on('message', (reply: Reply) => {
      if ('notice' in reply) return void this.#notices.push(reply.notice);
      const waiting = this.#waiting.get(reply.id);
      // Nobody waits for the answers of a worker that is being closed.
      if (!waiting) return;
      if ('event' in reply) return waiting.onEvent?.(reply.event);
      this.#settled(reply.id);
      if ('error' in reply) waiting.reject(new EngineError(reply.error, waiting.asked));
      else waiting.resolve(reply.result as never);
    });
    const onFailure = (error: Error) => {
      this.#end(new EngineStopped(`the engine's worker has died: ${error.message}`, { cause: error }));
      void this.close();
    };
    worker.on('error', onFailure);
    worker.on('messageerror', onFailure);
    worker.on('exit', () => {
      running.delete(this);
      this.#end(new EngineStopped("the engine's worker has ended"));
    });
    // After the listeners: the first one refs the worker's port.
    worker.unref();
    running.add(this);
    return worker;
  }

  /** See {@link Device.takeNotices}. */
  takeNotices(): string[] {
    return this.#notices.splice(0);
  }

  /** Asks the worker thread for something below the level of a device. @throws EngineError what it threw there */
  call<M extends keyof Calls & string>(
    method: M,
    ...args: Parameters<Calls[M]>
  ): Promise<ReturnType<Calls[M]>> {
    return this.#ask(this.#nextId++, method, args);
  }

  /** A call that moves these buffers instead of copying them: they are empty afterwards. */
  callMoving<M extends keyof Calls & string>(
    moved: ArrayBuffer[],
    method: M,
    ...args: Parameters<Calls[M]>
  ): Promise<ReturnType<Calls[M]>> {
    return this.#ask(this.#nextId++, method, args, { moved });
  }

  /** A call that frees something. Of a worker that is gone nothing is left to free. */
  async callToFree<M extends keyof Calls & string>(method: M, ...args: Parameters<Calls[M]>): Promise<void> {
    try {
      await this.call(method, ...args);
    } catch (error) {
      if (!(error instanceof EngineStopped)) throw error;
    }
  }

  /**
   * Runs an async generator in the worker's thread, where a loop over programs waits for no messages, and yields what it yields.
   * Leaving the loop ends the generator.
   */
  async *stream<Event>(module: string, args: unknown): AsyncGenerator<Event> {
    const id = this.#nextId++;
    const events: Event[] = [];
    let isOver = false;
    let wake = (): void => undefined;
    const over = this.#ask<undefined>(id, 'stream', [module, args], {
      onEvent: (event) => {
        events.push(event as Event);
        wake();
      },
    }).finally(() => {
      isOver = true;
      wake();
    });
    // Awaited below; until then an error is no unhandled rejection.
    over.catch(() => undefined);
    try {
      while (events.length > 0 || !isOver) {
        if (events.length > 0) yield events.shift()!;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
      await over;
    } finally {
      if (!isOver) {
        await this.#ask(this.#nextId++, 'endStream', [id]);
        await over.catch(() => undefined);
      }
    }
  }

  #ask<Result>(
    id: number,
    method: string,
    args: unknown[],
    { onEvent, moved = [] }: { onEvent?: (event: unknown) => void; moved?: ArrayBuffer[] } = {},
  ): Promise<Result> {
    if (this.#ended) return Promise.reject(this.#ended);
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve, reject) => {
      const message = ownMemory<Request>({ id, method, args });
      worker.postMessage(message.owned, [...moved, ...message.moved]);
      worker.ref();
      this.#waiting.set(id, { resolve, reject, onEvent, asked: new Error() });
    });
  }

  /** Rejects the calls under way, and ends the worker as soon as it is not within native code. */
  async close(): Promise<void> {
    this.#end(new EngineStopped("the engine's worker has been closed"));
    const worker = this.#worker;
    if (!worker || !running.has(this)) return;
    worker.postMessage({ id: 0, method: 'end', args: [] } satisfies Request);
    worker.ref();
    await new Promise((resolve) => worker.once('exit', resolve));
  }

  /** Rejects the calls under way and all later ones, which nobody would answer. */
  #end(error: EngineStopped): void {
    this.#ended ??= error;
    for (const [id, { reject }] of this.#waiting) {
      this.#settled(id);
      reject(this.#ended);
    }
  }

  #settled(id: number): void {
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker?.unref();
  }
}
