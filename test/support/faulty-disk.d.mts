/**
 * Lets a step on the disk go wrong, counted from now on, 1 for the first.
 *
 * @param fault "none": all goes well
 * @param tell.onStep is told of each step before it is taken
 * @param tell.onGone is called at the step that is not taken any more
 */
export function breakDisk(
  fault: 'none' | 'ENOSPC' | 'EIO' | 'short' | 'full' | 'gone',
  at?: number,
  tell?: { onStep?: (name: string) => void; onGone?: () => void },
): void;
