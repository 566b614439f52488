/** The main thread's side of the engine's worker. */
import { Worker } from 'node:worker_threads';
import './no-telemetry.js';
import { compiledModule } from './compiled-module.js';
import { EngineError, EngineStopped } from './errors.js';
import { checkResident, residentBytes } from './limits.js';
import { ownMemory } from './owned.js';
import type { HostArray, Method, Reply, Request, Resident, WorkerCalls } from './protocol.js';
import { defaultThreads } from './threads.js';

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
  onEvent?: (event: unknown) => void;
  /** Its stack says who asked. */
  asked: Error;
}

/** Hosts whose workers run. */
const running = new Set<EngineHost>();

/**
 * Closes every worker of this process. To be waited for before `process.exit`, which stops threads wherever they are: where that is in
 * ONNX Runtime, the process dies of SIGABRT.
 */
export async function closeEngines(): Promise<void> {
  await Promise.all([...running].map((host) => host.close()));
}

/**
 * One worker thread; calls are answered in order. It starts with the first call, so that a host nobody uses costs nothing, and keeps the
 * process alive only while a call is under way.
 */
export class EngineHost {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #ended: EngineStopped | undefined;

  /** @param threads threads for one operator */
  constructor(readonly threads = defaultThreads()) {}

  /** False once the worker is closed or has died: every call is rejected. */
  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  #start(): Worker {
    // Options of the caller's process, such as --input-type, are not for this file.
    const worker = new Worker(new URL(compiledModule('./worker.js', import.meta.url)), { execArgv: [] });
    worker.on('message', (reply: Reply) => {
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

  call<M extends Method>(
    method: M,
    ...args: Parameters<WorkerCalls[M]>
  ): Promise<ReturnType<WorkerCalls[M]>> {
    return this.#ask(this.#nextId++, method, args);
  }

  /**
   * Runs an async generator in the worker's thread, where a loop over sessions waits for no messages, and yields what it yields.
   * Leaving the loop ends the generator. @param module address of a module that exports it as `stream` (`compiledModule`)
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
        await this.call('endStream', id);
        await over.catch(() => undefined);
      }
    }
  }

  #ask<Result>(
    id: number,
    method: Method | 'stream',
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

  /** A session for an ONNX model. An array that is all of its buffer is moved to the worker: it is empty afterwards. */
  createSession(model: Uint8Array): Promise<number> {
    const { buffer, byteLength } = model;
    const moved = buffer instanceof ArrayBuffer && byteLength === buffer.byteLength ? [buffer] : [];
    return this.#ask(this.#nextId++, 'createSession', [model, this.threads], { moved });
  }

  /**
   * Memory in the worker for float32 tensors of these shapes, each aligned to 64 bytes, zeroed.
   *
   * @param what they are, for the error
   * @throws Error when they take 4 GiB or more
   */
  async allocate<K extends string>(
    shapes: Iterable<readonly [K, readonly number[]]>,
    what = 'what is to be kept together',
  ): Promise<ResidentTensors<K>> {
    const places: [K, number, readonly number[]][] = [];
    let bytes = 0;
    for (const [name, shape] of shapes) {
      places.push([name, bytes, shape]);
      bytes += residentBytes(shape);
    }
    checkResident(what, bytes);
    const memory = await this.call('createMemory', bytes);
    const tensors = new Map(
      places.map(([name, byteOffset, shape]) => [
        name,
        { memory, byteOffset, shape, dtype: 'float32' as const },
      ]),
    );
    return { memory, byteLength: bytes, tensors, release: () => this.release('releaseMemory', memory) };
  }

  read(source: Resident): Promise<HostArray> {
    return this.call('read', source);
  }

  write(target: Resident, data: HostArray): Promise<void> {
    return this.call('write', target, data);
  }

  /** Frees a session or memory; of a worker that is gone nothing is left to free. */
  async release(method: 'releaseSession' | 'releaseMemory', id: number): Promise<void> {
    try {
      await this.call(method, id);
    } catch (error) {
      if (!(error instanceof EngineStopped)) throw error;
    }
  }

  /** Rejects the calls under way, and ends the worker as soon as it is not within ONNX Runtime. */
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

/** Named float32 tensors side by side in one WebAssembly memory of the worker. */
export interface ResidentTensors<K extends string = string> {
  readonly memory: number;
  readonly byteLength: number;
  readonly tensors: Map<K, Resident>;
  release(): Promise<void>;
}

let shared: EngineHost | undefined;

/** The worker that everything uses unless told otherwise; another one once it has died. */
export function defaultHost(): EngineHost {
  if (!shared?.isOpen) shared = new EngineHost();
  return shared;
}
