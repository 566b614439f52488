import { access, copyFile, symlink } from 'node:fs/promises';
import { dirname, relative } from 'node:path';

/** Whether there is a file or folder of that name. */
export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Makes `link` point at `target`, by a relative path; where links are not permitted (Windows) it becomes a copy. */
export async function linkOrCopy(target: string, link: string): Promise<void> {
  if (await exists(link)) return;
  await symlink(relative(dirname(link), target), link).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPERM') throw error;
    await copyFile(target, link);
  });
}
