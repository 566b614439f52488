/** What the main thread may call in the CUDA device's worker thread. */
import type { AdamWUpdate, DeviceTensor, Feed, HostArray } from '../../device.js';
import type { OptimizerRegions } from './memory.js';
import type { ProgramKind } from './program.js';
import type { RuntimeOptions } from './runtime.js';

/** What the device is, once it is open; or why it cannot be had, in one sentence. */
export type Opened = { name: string; totalBytes: number } | { refused: string };

/** Regions by the handles of their allocations. */
export type OptimizerHandles = { [Region in keyof OptimizerRegions]: number };

export interface CudaCalls {
  /** @param free shared by both threads: the first number says how many bytes of the device's memory are free */
  open(options: RuntimeOptions, free: Float64Array): Opened;
  load(model: Uint8Array, kind: ProgramKind): number;
  unload(program: number): void;
  /** As `Device.run`. */
  run(
    program: number,
    feeds: Record<string, Feed>,
    into: Record<string, DeviceTensor>,
  ): Record<string, HostArray>;
  /** Zeroed memory. */
  allocate(byteLength: number): number;
  free(handle: number): void;
  read(source: DeviceTensor): HostArray;
  write(target: DeviceTensor, data: HostArray): void;
  clear(target: DeviceTensor): void;
  /** Adds a region's numbers to another's. */
  accumulate(totals: number, gradients: number, count: number): void;
  sumOfSquares(region: number, count: number): number;
  adamw(regions: OptimizerHandles, update: AdamWUpdate): void;
}
