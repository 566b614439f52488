/** What fits into a backend's memory. */
import { totalmem } from 'node:os';
import { elementCount } from '../../graph.js';
import { gibibytes, trainingOf } from '../amounts.js';

const BYTES = 4;

/** Float32 numbers that the memory of this machine, or of the container this process is in, holds. */
export function numbersInMemory(): number {
  const container = process.constrainedMemory() || Infinity;
  return Math.floor(Math.min(totalmem(), container) / BYTES);
}

/**
 * @param what is to be kept: "a copy of the weights"
 * @throws Error in one sentence when tensors of these shapes take more numbers than there is memory for
 */
export function checkFits(what: string, shapes: Iterable<readonly number[]>, mostNumbers: number): void {
  checkNumbers(what, countOf(shapes), mostNumbers);
}

/** @throws Error in one sentence when parameters of these shapes, `regions` times, take more numbers than there is memory for */
export function checkTrainableFits(
  shapes: Iterable<readonly number[]>,
  regions: number,
  mostNumbers: number,
): void {
  const count = countOf(shapes);
  checkNumbers(trainingOf(count, mostNumbers / regions), regions * count, mostNumbers);
}

function checkNumbers(what: string, count: number, most: number): void {
  if (count <= most) return;
  throw new Error(
    `${what} takes ${gibibytes(count * BYTES)}, but there are ${gibibytes(most * BYTES)} of memory`,
  );
}

const countOf = (shapes: Iterable<readonly number[]>): number =>
  [...shapes].reduce((sum, shape) => sum + elementCount(shape), 0);
