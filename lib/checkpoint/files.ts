import { access, copyFile, symlink } from 'node:fs/promises';
import { dirname, relative } from 'node:path';

/** Whether there is a file or folder of that name. */
export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Rethrows why a file could not be read as a sentence that names it; for `readFile(path).catch(cannotRead(path))`. */
export function cannotRead(path: string) {
  return (error: NodeJS.ErrnoException): never => {
    throw new Error(
      error.code === 'ENOENT' ? `${path} does not exist.` : `cannot read ${path}: ${error.message}.`,
      { cause: error },
    );
  };
}

/** Makes `link` point at `target`, by a relative path; where links are not permitted (Windows) it becomes a copy. */
export async function linkOrCopy(target: string, link: string): Promise<void> {
  if (await exists(link)) return;
  await symlink(relative(dirname(link), target), link).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPERM') throw error;
    await copyFile(target, link);
  });
}
