import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { exists } from './files.js';
import { visiblePath } from './temporary.js';
import { remedyOf } from './write-error.js';

/** Left free for logs, and for whatever else uses the disk meanwhile. */
const RESERVE_BYTES = 16 * 2 ** 20;

/**
 * Makes sure that a folder, which need not exist yet, has room for a file.
 * @param elsewhere how another folder is chosen; default: by --output
 * @throws Error in one sentence when it has not; its cause has the code ENOSPC
 */
export async function requireSpace(folder: string, bytes: number, elsewhere?: string): Promise<void> {
  let existing = resolve(folder);
  while (!(await exists(existing)) && dirname(existing) !== existing) existing = dirname(existing);
  // Not every file system tells; then writing will.
  const disk = await statfs(existing).catch(() => undefined);
  if (disk === undefined) return;
  const freeBytes = disk.bavail * disk.bsize;
  if (freeBytes >= bytes + RESERVE_BYTES) return;
  const free = formatMegabytes(freeBytes);
  throw new Error(
    `the disk is nearly full: saving to ${visiblePath(folder)} takes ${formatMegabytes(bytes + RESERVE_BYTES)}, ${free} are free; ${remedyOf('ENOSPC', elsewhere)}.`,
    { cause: Object.assign(new Error('no space left'), { code: 'ENOSPC' }) },
  );
}

function formatMegabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
