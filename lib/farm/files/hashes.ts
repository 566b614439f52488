/** SHA-256 of files that are asked for again and again: a model's weights take seconds to read. */
import { stat } from 'node:fs/promises';
import { hashFile } from '../../checkpoint/atomic.js';

export interface FileContent {
  bytes: number;
  /** In hexadecimal. */
  sha256: string;
}

/** By path, what was found there when the file looked as `stamp` says. */
const known = new Map<string, { stamp: string; sha256: Promise<string> }>();

/**
 * Size and SHA-256 of a file. It is read once, and again where its inode, size or time of change is another.
 * @throws Error when it is no file, cannot be read, or changes meanwhile
 */
export async function contentOf(path: string): Promise<FileContent> {
  const { stamp, bytes } = await look(path);
  const before = known.get(path);
  const sha256 = before?.stamp === stamp ? before.sha256 : hashFile(path);
  const entry = { stamp, sha256 };
  known.set(path, entry);
  const forget = () => known.get(path) === entry && known.delete(path);
  try {
    const content = { bytes, sha256: await sha256 };
    if ((await look(path)).stamp === stamp) return content;
    throw new Error(`${path} was changed while it was read.`);
  } catch (error) {
    forget();
    throw error;
  }
}

/** Says what a file's SHA-256 is to who has just computed it. */
export async function rememberContent(path: string, sha256: string): Promise<void> {
  known.set(path, { stamp: (await look(path)).stamp, sha256: Promise.resolve(sha256) });
}

/** The size of a file, in bytes; undefined where there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

async function look(path: string): Promise<{ stamp: string; bytes: number }> {
  const found = await stat(path, { bigint: true });
  if (!found.isFile()) throw new Error(`${path} is not a file.`);
  const { dev, ino, size, mtimeNs } = found;
  return { stamp: [dev, ino, size, mtimeNs].join(), bytes: Number(size) };
}
