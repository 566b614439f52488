/** What devices can hold, and how they say so. */
import { totalmem } from 'node:os';
import { BYTES_OF_FLOAT } from './side-by-side.js';

/** Float32 numbers that the memory of this machine, or of the container this process is in, holds. */
export function numbersInMemory(): number {
  const container = process.constrainedMemory() || Infinity;
  return Math.floor(Math.min(totalmem(), container) / BYTES_OF_FLOAT);
}

/** @throws Error that begins with `what` when so many float32 numbers are more than there is memory for */
export function checkNumbers(what: string, count: number, most: number): void {
  if (count <= most) return;
  throw new Error(
    `${what} takes ${gibibytes(count * BYTES_OF_FLOAT)}, but there are ${gibibytes(most * BYTES_OF_FLOAT)} of memory`,
  );
}

export const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

const millions = (count: number): string => `${Math.floor(count / 1e6)} million`;

/** What a training of so many parameters is called where it does not fit. */
export const trainingOf = (parameters: number, most: number): string =>
  `training a model of ${millions(parameters)} parameters (at most ${millions(most)} can be trained)`;
