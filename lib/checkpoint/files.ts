import { createReadStream } from 'node:fs';
import {
  access,
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  stat,
  symlink,
  type FileHandle,
} from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { text } from 'node:stream/consumers';
import { releaseTemporary, temporarySibling } from './temporary.js';
import { ELSEWHERE, explainWriteError } from './write-error.js';

/** Whether there is a file or folder of that name. */
export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Whether there is a folder of that name. */
export function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
}

/**
 * Makes a folder and those above it that are missing. Where nobody can make a folder and the system calls it missing (ENOENT), as below
 * /proc, Node.js' own `recursive` would try for ever, in a thread that nothing ends.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' || dirname(path) === path) throw error;
      await makeFolder(dirname(path));
      await mkdir(path);
    });
  } catch (error) {
    // Any other error tells of the disk, also where the folder is there.
    const isTaken = (error as NodeJS.ErrnoException).code === 'EEXIST';
    if (!isTaken || !(await stat(path)).isDirectory()) throw error;
  }
}

/** @throws Error where a device or a pipe is at `path`: a file that is renamed there would take its place */
export async function refuseDevice(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found || found.isFile() || found.isDirectory()) return;
  throw new Error(
    `cannot write to ${path}: it is a device or a pipe, which a file would replace; ${ELSEWHERE}.`,
  );
}

/** @throws Error where a folder is at `path`, and a file is to be written */
async function refuseFolder(path: string): Promise<void> {
  if (!(await isFolder(path))) return;
  throw new Error(`${path} is a folder: name a file in it (on the command line: --output)`);
}

/** @throws Error where there is something at `path` already, unless it is a file and may be overwritten */
export async function refuseToOverwrite(path: string, overwrite = false): Promise<void> {
  await refuseDevice(path);
  await refuseFolder(path);
  if (overwrite || !(await exists(path))) return;
  throw new Error(
    `${path} is there already: name another file with --output, or replace it with --overwrite`,
  );
}

/** @throws Error where there is something at `path` already that is no HTML page, which making a page again does not bring back */
export async function refuseToReplaceOther(path: string): Promise<void> {
  await refuseDevice(path);
  await refuseFolder(path);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile() || found.size === 0) return;
  const head = await text(createReadStream(path, { end: 99 })).catch(cannotRead(path));
  if (/^\s*<!doctype html/i.test(head)) return;
  throw new Error(`${path} is there already, and no page: name another file (on the command line: --output)`);
}

/** @throws Error where there is something in the folder at `path` already, unless it may be overwritten, or a file is there */
export async function refuseToReplaceFolder(path: string, overwrite = false): Promise<void> {
  if (overwrite || (await isMissingOrEmpty(path))) return;
  throw new Error(
    `${path} is there already, and not empty: name another folder with --output, or replace a checkpoint that is there with --overwrite`,
  );
}

/** Whether nothing would be lost if a folder were written at `path`. */
export async function isMissingOrEmpty(path: string): Promise<boolean> {
  return (await namesIn(path)).length === 0;
}

/** What is in the folder at `path`; nothing where it is missing. */
export function namesIn(path: string): Promise<string[]> {
  return readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw explainWriteError(error, path);
  });
}

/**
 * All of a file.
 *
 * @param name stands for the file in error messages
 * @throws Error in one sentence when it is missing, a folder or a device, or cannot be read
 */
export async function readWhole(path: string, name = path): Promise<Buffer> {
  const found = await stat(path).catch(cannotRead(name));
  // A link in somebody's folder may lead to /dev/zero, which fills the memory.
  if (found.isCharacterDevice()) throw new Error(`${name} is a device; a file is expected there.`);
  return readFile(path).catch(cannotRead(name));
}

/**
 * Opens a file to be read.
 *
 * @throws Error in one sentence when it is missing, cannot be read, or is anything else: a pipe would be waited for, a device never ends
 */
export async function openFile(path: string): Promise<FileHandle> {
  const found = await stat(path).catch(cannotRead(path));
  if (!found.isFile()) throw new Error(`${path} is not a file.`);
  return open(path).catch(cannotRead(path));
}

/**
 * Where a file of somebody's folder lies, links followed.
 *
 * @throws Error where a link leads out of the folder to a file of another name, perhaps to a secret, which a copy would carry on; into a
 *   hub's cache it may
 */
export async function locateInside(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  const real = await realpath(path).catch(cannotRead(path));
  const isInside = real.startsWith((await realpath(folder)) + sep);
  if (isInside || basename(real) === name || HUB_BLOB.test(real)) return real;
  throw new Error(
    `${path} is a link that leads out of its folder, to ${real}, which has another name: put the file itself there, if it belongs to the model.`,
  );
}

/** To what the files of a snapshot in a hub's cache are links. */
const HUB_BLOB = /[\\/]blobs[\\/]([0-9a-f]{40}|[0-9a-f]{64})$/;

/** Rethrows why a file could not be read as a sentence that names it; for `readFile(path).catch(cannotRead(path))`. */
export function cannotRead(path: string) {
  return (error: NodeJS.ErrnoException): never => {
    const sentences: Record<string, string> = {
      ENOENT: `${path} does not exist.`,
      EISDIR: `${path} is a folder; a file is expected there.`,
    };
    throw new Error(sentences[error.code ?? ''] ?? `cannot read ${path}: ${error.message}.`, {
      cause: error,
    });
  };
}

/** `length` bytes of a file at `position`, in a buffer of their own; `path` names the file when it has fewer. */
export async function readFully(
  handle: FileHandle,
  position: number,
  length: number,
  path: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new Error(`${path} became shorter while it was read.`);
    done += bytesRead;
  }
  return bytes;
}

/** Makes `link` point at `target`, by a relative path; where links are not permitted (Windows) it becomes a copy. */
export async function linkOrCopy(target: string, link: string): Promise<void> {
  if (await exists(link)) return;
  // By a name of its own first: another process may make the same link, and one that points nowhere may lie there.
  const temporary = temporarySibling(link, 'tmp');
  try {
    await symlink(relative(dirname(link), target), temporary).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPERM') throw error;
      await copyFile(target, temporary);
    });
    await rename(temporary, link);
  } finally {
    releaseTemporary(temporary);
  }
}
