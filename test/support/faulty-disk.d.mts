/**
 * Lets a step on the disk go wrong, counted from now on, 1 for the first.
 *
 * @param fault "none": all goes well
 * @param onStep is told of each step before it is taken
 */
export function breakDisk(
  fault: 'none' | 'ENOSPC' | 'EIO' | 'short' | 'full',
  at?: number,
  onStep?: (name: string) => void,
): void;
