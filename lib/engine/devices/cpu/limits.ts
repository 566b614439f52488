/** What the CPU device can hold at once, to be said before work begins. */
import { elementCount } from '../../graph.js';
import { gibibytes, trainingOf } from '../amounts.js';
import { BYTES_OF_FLOAT, paddedBytes } from '../side-by-side.js';

/** WebAssembly counts bytes with 32 bits. */
const MEMORY_BYTES = 2 ** 32;
/** Tensors start at multiples of this. */
export const ALIGNMENT = 64;
/** Float32 numbers that fit into one memory, gaps aside. */
export const MOST_NUMBERS = MEMORY_BYTES / BYTES_OF_FLOAT;

/** Bytes that tensors of these shapes take side by side. */
export const bytesOf = (shapes: Iterable<readonly number[]>): number =>
  [...shapes].reduce((sum, shape) => sum + paddedBytes(shape, ALIGNMENT), 0);

/** @throws Error that begins with `what` when so many bytes do not fit into one memory */
export function checkBytes(what: string, bytes: number): void {
  if (bytes < MEMORY_BYTES) return;
  throw new Error(`${what} takes ${gibibytes(bytes)}, but a memory of WebAssembly ends at 4 GiB`);
}

/** @throws Error when parameters of these shapes, `regions` times, do not fit into one memory */
export function checkTrainableShapes(shapes: readonly (readonly number[])[], regions: number): void {
  const count = shapes.reduce((sum, shape) => sum + elementCount(shape), 0);
  const most = MOST_NUMBERS / regions;
  checkBytes(trainingOf(count, most), regions * bytesOf(shapes));
}
