/** The main thread's side of the engine's worker. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import './no-telemetry.js';
import { compiledModule } from './compiled-module.js';
import { elementCount } from './graph.js';
import type { HostArray, Method, Reply, Request, Resident, WorkerCalls } from './protocol.js';

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
  onEvent?: (event: unknown) => void;
}

/** Threads for one operator: the machine's cores, or SPEECH_DPO_THREADS. */
export const defaultThreads = (): number => Number(process.env.SPEECH_DPO_THREADS) || availableParallelism();

/** One worker thread; calls are answered in order. It keeps the process alive only while a call is under way. */
export class EngineHost {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #ended: Error | undefined;

  /** @param threads threads for one operator */
  constructor(readonly threads = defaultThreads()) {
    // Options of the caller's process, such as --input-type, are not for this file.
    this.#worker = new Worker(new URL(compiledModule('./worker.js', import.meta.url)), { execArgv: [] });
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id)!;
      if ('event' in reply) return waiting.onEvent?.(reply.event);
      this.#settled(reply.id);
      if ('error' in reply) waiting.reject(new Error(reply.error));
      else waiting.resolve(reply.result as never);
    });
    this.#worker.on('error', (error) => {
      this.#end(error);
    });
    this.#worker.on('exit', () => {
      this.#end(new Error("the engine's worker has been closed"));
    });
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
    return new Promise((resolve, reject) => {
      this.#worker.postMessage({ id, method, args } satisfies Request, moved);
      this.#worker.ref();
      this.#waiting.set(id, { resolve, reject, onEvent });
    });
  }

  /** A session for an ONNX model, whose bytes are moved to the worker: the caller's array is empty afterwards. */
  createSession(model: Uint8Array<ArrayBuffer>): Promise<number> {
    return this.#ask(this.#nextId++, 'createSession', [model, this.threads], { moved: [model.buffer] });
  }

  /** Memory in the worker for tensors of these shapes, each aligned to 64 bytes, zeroed. */
  async allocate<K extends string>(
    shapes: Iterable<readonly [K, readonly number[]]>,
  ): Promise<ResidentTensors<K>> {
    const places: [K, number, readonly number[]][] = [];
    let bytes = 0;
    for (const [name, shape] of shapes) {
      places.push([name, bytes, shape]);
      bytes += Math.ceil((elementCount(shape) * 4) / 64) * 64;
    }
    const memory = await this.call('createMemory', bytes);
    const tensors = new Map(
      places.map(([name, byteOffset, shape]) => [
        name,
        { memory, byteOffset, shape, dtype: 'float32' as const },
      ]),
    );
    return { memory, byteLength: bytes, tensors, release: () => this.call('releaseMemory', memory) };
  }

  read(source: Resident): Promise<HostArray> {
    return this.call('read', source);
  }

  write(target: Resident, data: HostArray): Promise<void> {
    return this.call('write', target, data);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  /** Rejects the calls under way and all later ones, which nobody would answer. */
  #end(error: Error): void {
    this.#ended ??= error;
    for (const [id, { reject }] of this.#waiting) {
      this.#settled(id);
      reject(this.#ended);
    }
  }

  #settled(id: number): void {
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
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

/** The worker that everything uses unless told otherwise; started on first use. */
export function defaultHost(): EngineHost {
  return (shared ??= new EngineHost());
}
