/** What the CPU device can hold at once, to be said before work begins. */
import { elementCount } from '../../graph.js';
import { checkNumbers, gibibytes, numbersInMemory, trainingOf } from '../amounts.js';
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

/**
 * Cuts parameters into groups, in their order, each of which fits `regions` times into one memory of `memoryBytes`. A parameter that does not
 * is a group of its own.
 */
export function inMemories<Named extends readonly [string, readonly number[]]>(
  shapes: readonly Named[],
  regions: number,
  memoryBytes: number = MEMORY_BYTES,
): Named[][] {
  const groups: Named[][] = [];
  let room = 0;
  for (const named of shapes) {
    const bytes = regions * paddedBytes(named[1], ALIGNMENT);
    if (groups.length === 0 || bytes >= room) {
      groups.push([]);
      room = memoryBytes;
    }
    groups.at(-1)!.push(named);
    room -= bytes;
  }
  return groups;
}

/** @throws Error when parameters of these shapes, `regions` times, are more than the machine holds, or one of them more than a memory */
export function checkTrainableShapes(shapes: readonly (readonly number[])[], regions: number): void {
  const count = shapes.reduce((sum, shape) => sum + elementCount(shape), 0);
  const most = numbersInMemory();
  checkNumbers(trainingOf(count, most / regions), regions * count, most);
  for (const shape of shapes)
    checkBytes(`training a parameter of [${shape.join(', ')}]`, regions * bytesOf([shape]));
}
