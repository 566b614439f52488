/** The CPU: ONNX Runtime, WebAssembly memory and AdamW's loop in a worker thread. This is the main thread's side of it. */
import { Worker } from 'node:worker_threads';
import './no-telemetry.js';
import { compiledModule } from '../../compiled-module.js';
import type {
  Device,
  DeviceOptimizer,
  DeviceProgram,
  DeviceTensor,
  Feed,
  HostArray,
  ProgramSource,
} from '../../device.js';
import { EngineError, EngineStopped } from '../../errors.js';
import { elementCount } from '../../graph.js';
import { toOnnx } from '../../to-onnx.js';
import { BYTES_OF_FLOAT, MOST_NUMBERS, checkBytes, checkTrainableShapes, paddedBytes } from './limits.js';
import { OPTIMIZER_REGIONS, openCpuOptimizer, type CpuMemory } from './optimizer.js';
import { ownMemory } from './owned.js';
import type { Method, Reply, Request, WorkerCalls } from './protocol.js';
import { defaultThreads } from './threads.js';

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
  onEvent?: (event: unknown) => void;
  /** Its stack says who asked. */
  asked: Error;
}

/** Devices whose workers run. */
const running = new Set<CpuDevice>();

/**
 * Closes every worker of this process. To be waited for before `process.exit`, which stops threads wherever they are: where that is in
 * ONNX Runtime, the process dies of SIGABRT.
 */
export async function closeDevices(): Promise<void> {
  await Promise.all([...running].map((device) => device.close()));
}

/**
 * One worker thread; calls are answered in order. It starts with the first call, so that a device nobody uses costs nothing, and keeps the
 * process alive only while a call is under way.
 */
export class CpuDevice implements Device {
  readonly name = 'cpu';
  readonly mostNumbers = MOST_NUMBERS;
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #ended: EngineStopped | undefined;

  /** @param threads threads for one operator */
  constructor(readonly threads = defaultThreads()) {}

  get description(): string {
    return `the CPU, ${this.threads} ${this.threads === 1 ? 'thread' : 'threads'}`;
  }

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

  /** Asks the worker thread for something below the level of {@link Device}. @throws EngineError what it threw there */
  call<M extends Method>(
    method: M,
    ...args: Parameters<WorkerCalls[M]>
  ): Promise<ReturnType<WorkerCalls[M]>> {
    return this.#ask(this.#nextId++, method, args);
  }

  /**
   * Runs an async generator in the worker's thread, where a loop over sessions waits for no messages, and yields what it yields.
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

  async compile(source: ProgramSource): Promise<DeviceProgram> {
    const { model, outputs, reads } = toOnnx(source);
    return { handle: await this.load(model), outputs, reads };
  }

  load(model: Uint8Array): Promise<number> {
    const { buffer, byteLength } = model;
    const moved = buffer instanceof ArrayBuffer && byteLength === buffer.byteLength ? [buffer] : [];
    return this.#ask(this.#nextId++, 'createSession', [model, this.threads], { moved });
  }

  /** Runs a program; see {@link Device.run}. */
  run(
    program: number,
    feeds: Record<string, Feed>,
    into: Record<string, DeviceTensor>,
  ): Promise<Record<string, HostArray>> {
    return this.call('run', program, feeds, into);
  }

  unload(program: number): Promise<void> {
    return this.#release('releaseSession', program);
  }

  checkAllocation(shapes: Iterable<readonly number[]>, what: string): void {
    checkBytes(what, totalBytes(shapes));
  }

  checkOptimizer(shapes: Iterable<readonly number[]>): void {
    checkTrainableShapes([...shapes], OPTIMIZER_REGIONS.length);
  }

  /** Tensors start at multiples of 64 bytes in one WebAssembly memory. */
  async allocate<Name extends string>(
    shapes: Iterable<readonly [Name, readonly number[]]>,
    what = 'what is to be kept together',
  ): Promise<CpuMemory<Name>> {
    let byteLength = 0;
    const places = Array.from(shapes, ([name, shape]) => {
      const start = byteLength / BYTES_OF_FLOAT;
      byteLength += paddedBytes(shape);
      return { name, start, shape };
    });
    checkBytes(what, byteLength);
    const handle = await this.call('createMemory', byteLength);
    const tensors = new Map<Name, DeviceTensor>(
      places.map(({ name, start, shape }) => [name, { handle, start, shape, dtype: 'float32' }]),
    );
    return { handle, byteLength, tensors, release: () => this.#release('releaseMemory', handle) };
  }

  read(source: DeviceTensor): Promise<HostArray> {
    return this.call('read', source);
  }

  /** Replaces a tensor's values. */
  write(target: DeviceTensor, data: HostArray): Promise<void> {
    return this.call('write', target, data);
  }

  clear({ handle, start, shape }: DeviceTensor): Promise<void> {
    return this.call('clear', handle, start * BYTES_OF_FLOAT, elementCount(shape) * BYTES_OF_FLOAT);
  }

  async openOptimizer(shapes: Iterable<readonly [string, readonly number[]]>): Promise<DeviceOptimizer> {
    const named = [...shapes];
    this.checkOptimizer(named.map(([, shape]) => shape));
    return openCpuOptimizer(this, named);
  }

  /** Of a worker that is gone nothing is left to free. */
  async #release(method: 'releaseSession' | 'releaseMemory', id: number): Promise<void> {
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

const totalBytes = (shapes: Iterable<readonly number[]>): number =>
  [...shapes].reduce((sum, shape) => sum + paddedBytes(shape), 0);
