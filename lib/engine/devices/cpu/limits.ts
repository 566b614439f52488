/** What the CPU device can hold at once, to be said before work begins. */
import { elementCount } from '../../graph.js';

/** WebAssembly counts bytes with 32 bits. */
const MEMORY_BYTES = 2 ** 32;
/** Tensors start at multiples of this. */
const ALIGNMENT = 64;
export const BYTES_OF_FLOAT = 4;
/** Float32 numbers that fit into one memory, gaps aside. */
export const MOST_NUMBERS = MEMORY_BYTES / BYTES_OF_FLOAT;

/** Bytes that a float32 tensor takes, the gap before the next one included. */
export function paddedBytes(shape: readonly number[]): number {
  return Math.ceil((elementCount(shape) * BYTES_OF_FLOAT) / ALIGNMENT) * ALIGNMENT;
}

/** @throws Error that begins with `what` when so many bytes do not fit into one memory */
export function checkBytes(what: string, bytes: number): void {
  if (bytes < MEMORY_BYTES) return;
  throw new Error(`${what} takes ${gigabytes(bytes)}, but a memory of WebAssembly ends at 4 GiB`);
}

/** @throws Error when parameters of these shapes, `regions` times, do not fit into one memory */
export function checkTrainableShapes(shapes: readonly (readonly number[])[], regions: number): void {
  const count = shapes.reduce((sum, shape) => sum + elementCount(shape), 0);
  const most = MOST_NUMBERS / regions;
  checkBytes(
    `training a model of ${millions(count)} parameters (at most ${millions(most)} can be trained)`,
    regions * shapes.reduce((sum, shape) => sum + paddedBytes(shape), 0),
  );
}

const millions = (count: number): string => `${Math.floor(count / 1e6)} million`;
const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
