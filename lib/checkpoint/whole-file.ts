/** Reading a file in one piece, and what is found in the place of files that never came. */
import { readFile } from 'node:fs/promises';
import { cannotRead } from './files.js';

/** How much of a file {@link refuseStandIn} looks at. */
export const HEAD_BYTES = 512;

const GIT_LFS_POINTER = /^version https:\/\/(git-lfs|hawser)\.github\.com\/spec\//;
const WEB_PAGE = /^(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype html|html|head)\b/is;

/**
 * Reads a file.
 *
 * @throws one sentence naming it when it is missing, a folder or cannot be read, and what {@link refuseStandIn} throws
 */
export async function readWholeFile(path: string): Promise<Buffer> {
  const bytes = await readFile(path).catch(cannotRead(path));
  refuseStandIn(bytes, path);
  return bytes;
}

/**
 * Refuses what other programs leave in a file's place: nothing, the pointer of a clone without git-lfs, or the web page about the file.
 *
 * @param start the file's first {@link HEAD_BYTES} or more, all of it where it is shorter
 * @throws one sentence that begins with `name` and says what would help
 */
export function refuseStandIn(start: Uint8Array, name: string): void {
  if (start.length === 0) throw new Error(`${name}: the file is empty (0 bytes).`);
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
