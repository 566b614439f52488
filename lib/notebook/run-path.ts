import { isAbsolute, join } from 'node:path';

/**
 * Where a run is that a cell names: by its name or folder in `root` (`0601-1200`, `output/0601-1200`), or by a path as outputs of cells show
 * it and `LiveRun` holds it (`../output/0601-1200`).
 */
export function runPath(name: string, root: string): string {
  return isAbsolute(name) || /^\.\.?[/\\]/.test(name) ? name : join(root, name);
}
