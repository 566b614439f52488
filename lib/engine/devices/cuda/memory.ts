/** What the CUDA device computes in, below ONNX Runtime: memory by address, and the passes over whole regions of it that AdamW needs. */
import type { AdamWUpdate } from '../../device.js';
import type { Address } from '../ort/native.js';

/** Regions of `count` float32 numbers each, as long as one another. */
export interface OptimizerRegions {
  parameters: Address;
  gradients: Address;
  means: Address;
  squares: Address;
  count: number;
}

/** The GPU's memory (driver.ts). Tests have the process's own in its place, and ONNX Runtime's CPU provider above it. */
export interface Memory {
  /** ONNX Runtime's provider that computes in this memory. */
  readonly provider: 'CUDA' | 'CPU';
  /** What it is, in one phrase: "NVIDIA H100 80GB HBM3". */
  readonly name: string;
  /** Bytes; `free` as it is now, whoever holds the rest. */
  room(): { free: number; total: number };
  /** At a multiple of 256 bytes; what is there is not cleared. @throws Error when there is no room */
  allocate(byteLength: number): Address;
  free(address: Address): void;
  write(address: Address, data: ArrayBufferView): void;
  /** Waits for all that was begun before. */
  read(address: Address, into: ArrayBufferView): void;
  /** From one place of the device to another. */
  copy(to: Address, from: Address, byteLength: number): void;
  /** Sets a multiple of 4 bytes to zero. */
  clear(address: Address, byteLength: number): void;
  /** Waits for all that was begun: what works on a stream of its own (a CUDA graph) is not in order with the rest. */
  synchronize(): void;
  /** totals += gradients */
  accumulate(totals: Address, gradients: Address, count: number): void;
  /** In float64, added in the same order whenever it is asked. */
  sumOfSquares(numbers: Address, count: number): number;
  /** One step of AdamW; the formula is that of ../cpu/adamw.wat. */
  adamw(regions: OptimizerRegions, update: AdamWUpdate): void;
  close(): void;
}
