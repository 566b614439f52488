/** The main thread's side of the engine's worker. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { elementCount } from './graph.js';
import type { HostArray, Method, Reply, Request, Resident, WorkerCalls } from './protocol.js';

/** One worker thread; calls are answered in order. It keeps the process alive only while a call is under way. */
export class EngineHost {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #nextId = 1;
  #ended: Error | undefined;

  /** @param threads threads for one operator, default: the machine's cores, or SPEECH_DPO_THREADS */
  constructor(readonly threads = Number(process.env.SPEECH_DPO_THREADS) || availableParallelism()) {
    // Tests run the TypeScript sources; a worker thread needs the compiled JavaScript.
    const built = import.meta.url.endsWith('.ts') ? '../../dist/lib/engine/worker.js' : './worker.js';
    // Options of the caller's process, such as --input-type, are not for this file.
    this.#worker = new Worker(new URL(built, import.meta.url), { execArgv: [] });
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id)!;
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
    if (this.#ended) return Promise.reject(this.#ended);
    const request: Request = { id: this.#nextId++, method, args };
    return new Promise((resolve, reject) => {
      this.#worker.postMessage(request);
      this.#worker.ref();
      this.#waiting.set(request.id, { resolve, reject });
    });
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
