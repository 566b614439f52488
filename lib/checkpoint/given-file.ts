/** Files that a person gives, and what is found in their place when they never came. */
import type { FileHandle } from 'node:fs/promises';
import { openFile, readFully, readWhole } from './files.js';

/** How much of a file {@link refuseStandIn} looks at. */
const HEAD_BYTES = 512;

const GIT_LFS_POINTER = /^version https:\/\/(git-lfs|hawser)\.github\.com\/spec\//;
const WEB_PAGE = /^(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype html|html|head)\b/is;

/**
 * Reads a file that a person gives, whole.
 *
 * @param name stands for the file in error messages
 * @throws one sentence when it is missing, a folder or cannot be read, and what {@link refuseStandIn} throws
 */
export async function readGivenFile(path: string, name = path): Promise<Buffer> {
  const bytes = await readWhole(path, name);
  refuseStandIn(bytes, name);
  return bytes;
}

/** As {@link readGivenFile}, opened to be read in parts. */
export async function openGivenFile(path: string): Promise<{ handle: FileHandle; size: number }> {
  const handle = await openFile(path);
  try {
    const { size } = await handle.stat();
    refuseStandIn(await readFully(handle, 0, Math.min(size, HEAD_BYTES), path), path);
    return { handle, size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Refuses what other programs leave in a file's place: nothing, the pointer of a clone without git-lfs, or the web page about the file.
 *
 * @param start the file's first 512 bytes or more, all of it where it is shorter
 * @throws one sentence that begins with `name` and says what would help
 */
export function refuseStandIn(start: Uint8Array, name: string): void {
  if (start.length === 0)
    throw new Error(`${name}: the file is empty (0 bytes): it was truncated or never written.`);
  const head = Buffer.from(start.subarray(0, HEAD_BYTES)).toString('latin1');
  if (GIT_LFS_POINTER.test(head)) {
    throw new Error(`${name} is a Git LFS pointer, not the file: run git lfs pull in its folder.`);
  }
  if (WEB_PAGE.test(head)) {
    throw new Error(
      `${name} is a web page (HTML), not the file: download the file itself (on the hub, /resolve/ instead of /blob/ in its address).`,
    );
  }
}
