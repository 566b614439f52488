import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sumOf } from '../mean.js';

/** Bytes of all files in a folder and its folders; 0 where there is no such folder. What goes away meanwhile does not count. */
export async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async ({ parentPath, name }) => {
      const file = await stat(join(parentPath, name)).catch(() => undefined);
      return file?.size ?? 0;
    });
  return sumOf(await Promise.all(sizes));
}

/** "890 bytes", "25.4 MB", "1.2 GB", in powers of ten. */
export function formatBytes(bytes: number): string {
  if (bytes < 1e5) return `${bytes} bytes`;
  const [size, unit] = bytes < 1e9 ? [bytes / 1e6, 'MB'] : [bytes / 1e9, 'GB'];
  return `${size.toFixed(1)} ${unit}`;
}
