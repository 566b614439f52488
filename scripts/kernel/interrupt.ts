import { Interrupted } from './errors.js';

/** How long work that listens may take to end in good order before its cell is ended without it. */
const GRACE_MS = 1200;

/** The stop button: aborts the work of the running cell, then ends the cell. */
export function createInterrupter(endCell: () => void) {
  let controller = new AbortController();
  let listened = false;
  let cell = 0;
  return {
    signal(): AbortSignal {
      listened = true;
      return controller.signal;
    },
    /** To be called when a cell starts and when it ends. */
    nextCell(): void {
      cell += 1;
      listened = false;
    },
    interrupt(): void {
      const interruptedCell = cell;
      const graceMs = listened ? GRACE_MS : 0;
      const aborted = controller;
      controller = new AbortController();
      aborted.abort(new Interrupted('the stop button ended this'));
      setTimeout(() => {
        if (cell === interruptedCell) endCell();
      }, graceMs);
    },
  };
}
