import { createHash, type Hash } from 'node:crypto';
import {
  appendFile,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isMissingOrEmpty, makeFolder, openFile, refuseDevice } from './files.js';
import { findAbandoned, releaseTemporary, temporarySibling, visiblePath } from './temporary.js';
import { ELSEWHERE, explainWriteError } from './write-error.js';

/** What a file may be written from; chunks are produced while writing, so that a large file is never whole in memory. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Writes a file so that `path` holds the old content or all of the new one, whatever happens: a hidden sibling is
 * written, synced to disk, read back, then renamed. Missing parent folders are made. Writers of one path in this process take turns,
 * in the order of their calls; those of several processes write siblings of their own, and the last to end stays. What a killed writer
 * left is removed. Where `path` is a link, the file that it leads to is written.
 *
 * @returns the content's SHA-256 in hexadecimal
 * @throws Error in one sentence when the file cannot be written, or reads back as something else; its cause has the system's code
 */
export function writeFileAtomic(path: string, content: FileContent): Promise<string> {
  const target = resolve(path);
  return inTurn(target, () => replaceFile(target, content));
}

async function replaceFile(path: string, content: FileContent): Promise<string> {
  await refuseDevice(path);
  const target = await followLinks(path);
  const folder = dirname(target);
  const temporary = temporarySibling(target, 'tmp');
  try {
    await makeFolder(folder);
    await removeAbandoned(target, 'tmp');
    const checksum = await writeAndCheck(temporary, content);
    await rename(temporary, target);
    await sync(folder);
    return checksum;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw explainWriteError(error, folder);
  } finally {
    releaseTemporary(temporary);
  }
}

/** The file that is at `path`; `path` itself where there is none. */
async function followLinks(path: string): Promise<string> {
  return realpath(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw explainWriteError(error, dirname(path));
    return path;
  });
}

const turns = new Map<string, Promise<unknown>>();

/** Does `work` when all that was to be done before on that path has ended, well or not. */
async function inTurn<T>(target: string, work: () => Promise<T>): Promise<T> {
  const before = turns.get(target);
  const mine = before ? before.then(work) : work();
  const ended = mine.catch(() => undefined);
  turns.set(target, ended);
  try {
    return await mine;
  } finally {
    if (turns.get(target) === ended) turns.delete(target);
  }
}

/**
 * Adds a line to a file and syncs it to disk. A crash can leave part of the line, without its line feed.
 * @throws Error in one sentence, as `writeFileAtomic`
 */
export async function appendLine(path: string, line: string): Promise<void> {
  try {
    const handle = await open(path, 'a');
    try {
      await appendFile(handle, line + '\n');
      await handle.datasync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw explainWriteError(error, dirname(path));
  }
}

/**
 * Removes a file or folder, where there is one.
 * @throws Error in one sentence, as `writeFileAtomic`
 */
export async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch((error: unknown) => {
    throw explainWriteError(error, dirname(path));
  });
}

/** SHA-256 of a file's content in hexadecimal. @throws Error in one sentence where there is no file, or it cannot be read */
export async function hashFile(path: string): Promise<string> {
  const handle = await openFile(path);
  return hashOf(handle).finally(() => handle.close());
}

/**
 * Makes a folder that appears complete or not at all: `fill` writes into a hidden sibling, which is synced, then
 * renamed. When anything fails the sibling is removed; one that a killed process left is removed by the next try. Writers of one folder
 * take turns as those of a file do.
 * @param options.replace let an existing, non-empty folder give way to the new one (default false: an error).
 */
export function writeDirectoryAtomic(
  directory: string,
  fill: (temporary: string) => Promise<void>,
  options: { replace?: boolean } = {},
): Promise<void> {
  const target = resolve(directory);
  return inTurn(target, () => makeDirectory(target, fill, options.replace ?? false));
}

async function makeDirectory(
  target: string,
  fill: (temporary: string) => Promise<void>,
  replace: boolean,
): Promise<void> {
  const parent = dirname(target);
  if (!replace && !(await isMissingOrEmpty(target))) throw notEmpty(target);
  const temporary = temporarySibling(target, 'tmp');
  try {
    await makeFolder(parent);
    await removeAbandoned(target, 'tmp');
    await mkdir(temporary);
    await fill(temporary);
    await syncTree(temporary);
    await putInPlace(temporary, target, replace);
    await sync(parent);
    await removeAbandoned(target, 'previous');
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw explainWriteError(error, parent);
  } finally {
    releaseTemporary(temporary);
  }
}

/** Renames the folder; one that is there is moved aside first, then removed. */
async function putInPlace(temporary: string, target: string, replace: boolean): Promise<void> {
  const previous = temporarySibling(target, 'previous');
  try {
    for (;;) {
      if (replace) await rename(target, previous).catch(ignoreMissing);
      try {
        await rename(temporary, target);
        break;
      } catch (error) {
        // Another process was faster.
        if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
        if (!replace) throw notEmpty(target);
        await rm(previous, { recursive: true, force: true });
      }
    }
    await rm(previous, { recursive: true, force: true });
  } finally {
    releaseTemporary(previous);
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

function notEmpty(target: string): Error {
  return new Error(`cannot write to ${target}: it exists and is not empty; ${ELSEWHERE}.`);
}

async function removeAbandoned(target: string, ending: string): Promise<void> {
  for (const path of await findAbandoned(target, ending)) await rm(path, { recursive: true, force: true });
}

async function writeAndCheck(path: string, content: FileContent): Promise<string> {
  const handle = await open(path, 'w+');
  try {
    const hash = createHash('sha256');
    // writeFile goes on after a short write, so that a full disk is an error and not a truncated file.
    await writeFile(handle, hashed(content, hash));
    await handle.sync();
    const checksum = hash.digest('hex');
    if ((await hashOf(handle)) !== checksum)
      throw new Error(`${visiblePath(path)}: the disk gave back other bytes than were written.`);
    return checksum;
  } finally {
    await handle.close();
  }
}

async function* hashed(content: FileContent, hash: Hash): AsyncGenerator<Uint8Array> {
  const chunks =
    typeof content === 'string'
      ? [Buffer.from(content)]
      : content instanceof Uint8Array
        ? [content]
        : content;
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

const READ_BYTES = 1 << 20;

async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(READ_BYTES);
  for (let position = 0; ;) {
    const { bytesRead } = await handle.read(buffer, 0, READ_BYTES, position);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
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
