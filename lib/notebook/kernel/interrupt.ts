import { Interrupted } from './errors.js';

/** How long work that listens may take to end in good order before its cell is ended without it. */
const GRACE_MS = 1200;
/** How long code may keep the event loop from turning before it is cut off: work that listens ends better by itself. */
const PATIENCE_MS = 500;
const PATIENCE_WITH_LISTENERS_MS = 5000;

/** The stop button: aborts the work of the running cell, then ends the cell. */
export function createInterrupter(endCell: () => void, setPatience: (ms: number) => void) {
  let controller = new AbortController();
  let listened = false;
  let cell = 0;
  let running = false;
  const changeCell = (isRunning: boolean) => {
    cell += 1;
    running = isRunning;
    listened = false;
    setPatience(PATIENCE_MS);
  };
  changeCell(false);
  return {
    signal(): AbortSignal {
      listened = true;
      setPatience(PATIENCE_WITH_LISTENERS_MS);
      return controller.signal;
    },
    isCellRunning: () => running,
    startCell: () => changeCell(true),
    endCell: () => changeCell(false),
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
