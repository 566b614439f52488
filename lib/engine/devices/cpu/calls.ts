/** What the main thread may call in the CPU device's worker thread. */
import type { DeviceTensor, Feed, HostArray } from '../../device.js';
import type { DType } from '../../graph.js';

/** Where an array of the caller's thread is. It stays there as long as it is read. */
export interface LentArray {
  place: bigint;
  byteLength: number;
}

/** A constant that is lent. */
export interface LentConstant extends LentArray {
  name: string;
  shape: readonly number[];
  dtype: DType;
}

export interface SessionSettings {
  /** For one operator. */
  threads: number;
  /** Whether it shares an arena with other such sessions, which is there while one of them is (arena.ts). */
  sharesArena: boolean;
  /** Whether constants are packed for the kernels, as a second copy of those that are lent. */
  packs: boolean;
}

/** Every call the worker answers, with the type of its answer. */
export interface CpuCalls {
  /** @param lent constants that the model leaves out: they are read where they are until the session is released */
  createSession(model: Uint8Array, lent: readonly LentConstant[], settings: SessionSettings): number;
  releaseSession(session: number): void;
  /** Outputs named in `fetches` are written where they say; the others come back as arrays. */
  run(
    session: number,
    feeds: Record<string, Feed>,
    fetches: Record<string, DeviceTensor>,
  ): Record<string, HostArray>;
  /** Arrays become memories of which programs read: a name for each. */
  lend(arrays: readonly LentArray[]): number[];
  /** Forgets such memories. */
  giveBack(memories: readonly number[]): void;
  createMemory(byteLength: number): number;
  /** Lets go of the memory and of the instances that work on it. */
  releaseMemory(memory: number): void;
  /** Sets bytes to zero. */
  clear(memory: number, byteOffset: number, byteLength: number): void;
  read(source: DeviceTensor): HostArray;
  write(target: DeviceTensor, data: HostArray): void;
  /** As `DeviceThread.keepColumns`. */
  keepColumns(tensor: DeviceTensor, kept: readonly number[]): void;
  /** Instantiates a WebAssembly module whose imported memory (env.memory) is `memory`. */
  instantiate(memory: number, module: Uint8Array): number;
  call(instance: number, name: string, args: number[]): number;
}
