/** What fits into a backend's memory. */
import { elementCount } from '../../graph.js';
import { checkNumbers, trainingOf } from '../amounts.js';

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

const countOf = (shapes: Iterable<readonly number[]>): number =>
  [...shapes].reduce((sum, shape) => sum + elementCount(shape), 0);
