import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** What a file may be written from; chunks are produced while writing, so that a large file is never whole in memory. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array>;

/**
 * Writes a file so that `path` holds the old content or all of the new one, whatever happens: a hidden sibling is
 * written, synced to disk, then renamed. Missing parent folders are made. One writer at a time per path.
 */
export async function writeFileAtomic(path: string, content: FileContent): Promise<void> {
  const target = resolve(path);
  const folder = dirname(target);
  const temporary = temporarySibling(target);
  try {
    await mkdir(folder, { recursive: true });
    // writeFile goes on after a short write, so that a full disk is an error and not a truncated file.
    const handle = await open(temporary, 'w');
    try {
      await writeFile(handle, content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
    await sync(folder);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw explain(error, folder);
  }
}

/**
 * Makes a folder that appears complete or not at all: `fill` writes into a hidden sibling, which is synced, then
 * renamed. When anything fails the sibling is removed; one that a killed process left is removed by the next try.
 * @param options.replace let an existing, non-empty folder give way to the new one (default false: an error).
 */
export async function writeDirectoryAtomic(
  directory: string,
  fill: (temporary: string) => Promise<void>,
  options: { replace?: boolean } = {},
): Promise<void> {
  const target = resolve(directory);
  const parent = dirname(target);
  const temporary = temporarySibling(target);
  if (!options.replace && !(await isMissingOrEmpty(target))) {
    throw new Error(`cannot write to ${target}: it exists and is not empty; choose another with --output.`);
  }
  try {
    await mkdir(parent, { recursive: true });
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
  } catch (error) {
    throw explain(error, parent);
  }
  try {
    await fill(temporary);
    await syncTree(temporary);
    if (options.replace) await moveAside(target);
    await rename(temporary, target);
    await sync(parent);
    await rm(previousSibling(target), { recursive: true, force: true });
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw explain(error, parent);
  }
}

function temporarySibling(target: string): string {
  return join(dirname(target), `.${basename(target)}.tmp`);
}

function previousSibling(target: string): string {
  return join(dirname(target), `.${basename(target)}.previous`);
}

async function moveAside(target: string): Promise<void> {
  await rm(previousSibling(target), { recursive: true, force: true });
  await rename(target, previousSibling(target)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

async function isMissingOrEmpty(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw explain(error, directory);
  }
}

async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    await (entry.isDirectory() ? syncTree(path) : sync(path));
  }
  await sync(directory);
}

/** Flushes a file or folder to disk, where the platform can (Windows cannot sync a folder or a file open for reading). */
async function sync(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r');
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    if (process.platform !== 'win32') throw error;
  }
}

const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be too large',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'a part of the path is a file',
};

function explain(error: unknown, folder: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  const reason = code === undefined ? undefined : (REASONS[code] ?? code);
  if (reason === undefined) return error;
  return new Error(`cannot write to ${folder}: ${reason}; choose another with --output.`, { cause: error });
}
