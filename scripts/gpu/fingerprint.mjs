// Whether a result still holds: files that it depends on have the contents that they had.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What nothing that runs reads: what the compiler notes for itself, for editors and for debuggers, and Python's compiled files. */
const UNREAD = /\.d\.m?ts$|\.map$|\.tsbuildinfo$|\.built$|\.pyc$/;

/**
 * A SHA-256 over the names and contents of files, and over the version of Node.js.
 *
 * @param paths files, and folders with all that is below them, as they are named from `root`
 * @throws what the system says of a path that is not there
 */
export function fingerprint(root, paths) {
  const hash = createHash('sha256').update(process.version);
  for (const path of paths.flatMap((each) => filesAt(root, each)).sort()) {
    const content = readFileSync(join(root, path));
    hash.update(`\n${path} ${content.byteLength}\n`).update(content);
  }
  return hash.digest('hex');
}

function filesAt(root, path) {
  if (statSync(join(root, path)).isFile()) return [path];
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !UNREAD.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(join(root, '/').length));
}
