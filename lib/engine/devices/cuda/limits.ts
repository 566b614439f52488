/** What the CUDA device can hold at once, to be said before work begins. */
import { elementCount } from '../../graph.js';
import { gibibytes, trainingOf } from '../amounts.js';
import { BYTES_OF_FLOAT, paddedBytes } from '../side-by-side.js';

/** Tensors start at multiples of this; what reads several numbers at once is fastest there. */
export const ALIGNMENT = 256;

export const bytesOfTensors = (shapes: readonly (readonly number[])[]): number =>
  shapes.reduce((sum, shape) => sum + paddedBytes(shape, ALIGNMENT), 0);

/** @throws Error that begins with `what` when so many bytes are not free */
export function checkRoom(what: string, bytes: number, free: number): void {
  if (bytes <= free) return;
  throw new Error(`${what} takes ${gibibytes(bytes)}, but ${gibibytes(free)} of the GPU's memory are free`);
}

/** @throws Error when parameters of these shapes, `regions` times, are more than is free */
export function checkTrainableRoom(
  shapes: readonly (readonly number[])[],
  regions: number,
  free: number,
): void {
  const count = shapes.reduce((sum, shape) => sum + elementCount(shape), 0);
  const most = free / BYTES_OF_FLOAT / regions;
  checkRoom(trainingOf(count, most), regions * bytesOfTensors(shapes), free);
}

/** Whether the driver, ONNX Runtime's arena, cuBLAS or cuDNN says that there is no more memory. */
export const isOutOfMemory = ({ message }: Error): boolean =>
  /OUT_OF_MEMORY|ALLOC_FAILED|out of memory|Failed to allocate memory/i.test(message);
