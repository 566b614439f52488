/** How float32 tensors lie in one allocation. */
import { elementCount } from '../graph.js';

export const BYTES_OF_FLOAT = 4;

/** Bytes that a float32 tensor takes, the gap before the next one included. */
export function paddedBytes(shape: readonly number[], alignment: number): number {
  return Math.ceil((elementCount(shape) * BYTES_OF_FLOAT) / alignment) * alignment;
}

/** Places for tensors of these shapes, each at a multiple of `alignment` bytes; `start` counts elements. */
export function sideBySide<Name extends string>(
  shapes: Iterable<readonly [Name, readonly number[]]>,
  alignment: number,
): { places: { name: Name; start: number; shape: readonly number[] }[]; byteLength: number } {
  let byteLength = 0;
  const places = Array.from(shapes, ([name, shape]) => {
    const start = byteLength / BYTES_OF_FLOAT;
    byteLength += paddedBytes(shape, alignment);
    return { name, start, shape };
  });
  return { places, byteLength };
}
