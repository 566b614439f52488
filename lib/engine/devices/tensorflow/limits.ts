/** What fits into a backend's memory. */
import { totalmem } from 'node:os';
import { elementCount } from '../../graph.js';

const BYTES = 4;

/** Float32 numbers that the memory of this machine, or of the container this process is in, holds. */
export function numbersInMemory(): number {
  const container = process.constrainedMemory() || Infinity;
  return Math.floor(Math.min(totalmem(), container) / BYTES);
}

/**
 * @param what is to be kept: "a copy of the weights"
 * @param times how often tensors of these shapes are kept
 * @throws Error in one sentence when they take more numbers than there is memory for
 */
export function checkFits(
  what: string,
  shapes: Iterable<readonly number[]>,
  mostNumbers: number,
  times = 1,
): void {
  const count = [...shapes].reduce((sum, shape) => sum + elementCount(shape), 0);
  if (count * times <= mostNumbers) return;
  const [wanted, most] = [times * count, mostNumbers].map((numbers) =>
    ((numbers * BYTES) / 2 ** 30).toFixed(2),
  );
  const parameters = (numbers: number) => `${Math.floor(numbers / 1e6)} million`;
  const atMost =
    times > 1
      ? ` a model of ${parameters(count)} parameters (at most ${parameters(mostNumbers / times)} can be trained)`
      : '';
  throw new Error(`${what}${atMost} takes ${wanted} GiB, but there are ${most} GiB of memory`);
}
