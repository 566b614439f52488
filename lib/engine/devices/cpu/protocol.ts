/** What the main thread and the worker thread of the CPU device say to each other. */
import type { DeviceTensor, Feed, HostArray } from '../../device.js';
import type { ReportedError } from '../../errors.js';

/** Every call the worker answers, with the type of its answer. */
export interface WorkerCalls {
  createSession(model: Uint8Array, threads: number): number;
  releaseSession(session: number): void;
  /** Outputs named in `fetches` are written where they say; the others come back as arrays. */
  run(
    session: number,
    feeds: Record<string, Feed>,
    fetches: Record<string, DeviceTensor>,
  ): Record<string, HostArray>;
  createMemory(byteLength: number): number;
  /** Lets go of the memory and of the instances that work on it. */
  releaseMemory(memory: number): void;
  /** Sets bytes to zero. */
  clear(memory: number, byteOffset: number, byteLength: number): void;
  read(source: DeviceTensor): HostArray;
  write(target: DeviceTensor, data: HostArray): void;
  /** Instantiates a WebAssembly module whose imported memory (env.memory) is `memory`. */
  instantiate(memory: number, module: Uint8Array): number;
  call(instance: number, name: string, args: number[]): number;
  /** Ends the generator of an earlier `stream` request before its next event. */
  endStream(id: number): void;
}

export type Method = keyof WorkerCalls;
export interface Request {
  id: number;
  /**
   * "stream": args are the address of a module and its generator's arguments; answered by events, then a result.
   * "end": the thread ends, and nothing is answered any more.
   */
  method: Method | 'stream' | 'end';
  args: unknown[];
}
export type Reply =
  { id: number; result: unknown } | { id: number; event: unknown } | { id: number; error: ReportedError };
