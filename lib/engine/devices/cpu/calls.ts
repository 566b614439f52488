/** What the main thread may call in the CPU device's worker thread. */
import type { DeviceTensor, Feed, HostArray } from '../../device.js';

/** Every call the worker answers, with the type of its answer. */
export interface CpuCalls {
  /** @param sharesArena whether it shares an arena with other such sessions, which is there while one of them is */
  createSession(model: Uint8Array, threads: number, sharesArena: boolean): number;
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
}
