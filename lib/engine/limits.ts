/** What the engine can hold at once, to be said before work begins. */
import { elementCount } from './graph.js';

/** WebAssembly counts bytes with 32 bits. */
const MEMORY_BYTES = 2 ** 32;
/** Protobuf, in which ONNX models are written, counts with 31 bits. */
const MODEL_BYTES = 2 ** 31 - 1;
/** Tensors start at multiples of this. */
const ALIGNMENT = 64;

const BYTES_OF_FLOAT = 4;

/** Bytes of a float32 tensor in resident memory. */
export function residentBytes(shape: readonly number[]): number {
  return Math.ceil((elementCount(shape) * BYTES_OF_FLOAT) / ALIGNMENT) * ALIGNMENT;
}

/** Float32 numbers that fit into one memory, padding aside. */
export const MOST_RESIDENT_NUMBERS = MEMORY_BYTES / BYTES_OF_FLOAT;

/** @throws Error that begins with `what` when so many bytes do not fit into one memory */
export function checkResident(what: string, bytes: number): void {
  if (bytes < MEMORY_BYTES) return;
  throw new Error(`${what} takes ${gigabytes(bytes)}, but a memory of WebAssembly ends at 4 GiB`);
}

/** @throws Error when a model of so many bytes, its constants included, cannot be read */
export function checkModelSize(bytes: number): void {
  if (bytes <= MODEL_BYTES) return;
  throw new Error(
    `a program with its weights takes ${gigabytes(bytes)}, but ONNX Runtime reads models of up to 2 GiB: the model is too large`,
  );
}

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
