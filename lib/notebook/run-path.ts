import { isAbsolute, join } from 'node:path';

/**
 * Where a run is that a cell names: by its name or folder in `root` (`0601-1200`, `output/0601-1200`), or by a path as outputs of cells show
 * it and `LiveRun` holds it (`../output/0601-1200`).
 *
 * @throws Error for an empty name, which would be `root` itself
 */
export function runPath(name: string, root: string): string {
  if (name.trim() === '')
    throw new Error(
      "a run's name is empty: give it as 0601-1200; of several names there is no comma after the last",
    );
  return isAbsolute(name) || /^\.\.?[/\\]/.test(name) ? name : join(root, name);
}
