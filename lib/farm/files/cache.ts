/**
 * A worker's cache of folders: {cache}/{kind}/{hash}, each complete or not there at all, with a SHA256SUMS. What is hidden beside a folder is
 * named after it: the files that are coming in, who claims to fetch it, and who uses it.
 */
import { copyFile, link, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CHECKSUMS_FILE } from '../../checkpoint/checksums.js';
import { makeFolder } from '../../checkpoint/files.js';
import { findAbandoned, releaseTemporary, temporarySibling } from '../../checkpoint/temporary.js';
import { isOfDisk } from '../../checkpoint/write-error.js';
import { contentOf, sizeOf } from './hashes.js';
import type { FolderManifest, ManifestFile } from './manifest.js';

/** Files that came in and were never put together are removed when nothing has come for so long. */
const FORGOTTEN_AFTER_MS = 3_600_000;

/** Where the files of a folder come in. */
export const incomingOf = (folder: string): string => join(dirname(folder), `.${basename(folder)}.incoming`);
export const claimOf = (folder: string): string => join(dirname(folder), `.${basename(folder)}.claim`);

/** Whether a folder has the files that the manifest says, by their SHA-256. */
export async function compareFolder(
  folder: string,
  { files }: FolderManifest,
): Promise<'equal' | 'different' | 'missing'> {
  const sizes = await Promise.all(files.map(({ name }) => sizeOf(join(folder, name))));
  if (sizes.includes(undefined)) return 'missing';
  if (files.some(({ bytes }, i) => bytes !== sizes[i])) return 'different';
  for (const { name, sha256 } of files) {
    const found = await contentOf(join(folder, name)).catch(() => undefined);
    if (found?.sha256 !== sha256) return 'different';
  }
  return 'equal';
}

/** The marks that this process has set, the last one last, by the folder that its cached folders lie in. */
const marks = new Map<string, { folder: string; mark: string }[]>();

/**
 * Marks a folder, which need not be there yet, as used by this process, until it has marked `keep` others beside it or ends. A model is read
 * into memory when it is opened, and its files are not needed from then on: a mark protects them until then.
 */
export async function markUsed(folder: string, keep: number): Promise<void> {
  const parent = dirname(folder);
  await makeFolder(parent);
  const before = marks.get(parent) ?? [];
  const mine = before.find((each) => each.folder === folder) ?? {
    folder,
    mark: temporarySibling(folder, 'use'),
  };
  marks.set(parent, [...before.filter((each) => each !== mine), mine]);
  await writeFile(mine.mark, '');
  for (const { mark } of marks.get(parent)!.splice(0, marks.get(parent)!.length - keep)) {
    await rm(mark, { force: true });
    releaseTemporary(mark);
  }
}

/** The time of a folder's last use is that of its last change. */
export async function touch(folder: string): Promise<void> {
  const now = new Date();
  await utimes(folder, now, now);
}

/** A file of that content in any cached folder. */
export async function findCached(
  cache: string,
  { bytes, sha256 }: ManifestFile,
): Promise<string | undefined> {
  for (const kind of await foldersIn(cache)) {
    for (const folder of await cachedFolders(join(cache, kind))) {
      const lines = await readFile(join(folder, CHECKSUMS_FILE), 'utf8').catch(() => '');
      const name = new RegExp(`^${sha256} {2}([\\w.-]+)$`, 'm').exec(lines)?.[1];
      if (name === undefined) continue;
      const path = join(folder, name);
      if ((await sizeOf(path)) !== bytes) continue;
      const found = await contentOf(path).catch(() => undefined);
      if (found?.sha256 === sha256) return path;
    }
  }
  return undefined;
}

/** Gives a file a second name, or copies it where the file system cannot. */
export async function linkFile(from: string, to: string): Promise<void> {
  await link(from, to).catch(async (error: NodeJS.ErrnoException) => {
    if (isOfDisk(error) || ['ENOENT', 'EEXIST'].includes(error.code ?? '')) throw error;
    await copyFile(from, to);
  });
}

/**
 * Removes all folders but the `keep` last used and those that a living process has marked, and what processes that are gone have left.
 * @param parent the folder of the cached folders
 */
export async function prune(parent: string, keep: number): Promise<void> {
  const folders = await Promise.all(
    (await cachedFolders(parent)).map(async (folder) => ({ folder, usedMs: await changedMs(folder) })),
  );
  await sweep(parent);
  for (const { folder } of folders.sort((a, b) => b.usedMs - a.usedMs).slice(keep)) {
    if (!(await isMarked(folder))) await removeFolder(folder);
  }
}

/** Removes a folder so that nobody sees a part of it. */
export async function removeFolder(folder: string): Promise<void> {
  const aside = temporarySibling(folder, 'previous');
  try {
    await rename(folder, aside);
    await rm(aside, { recursive: true, force: true });
  } catch (error) {
    // Another process removes it, or it is somebody else's, or Windows keeps it while it is read: then it stays.
    if (!['ENOENT', 'EPERM', 'EACCES', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
  } finally {
    releaseTemporary(aside);
  }
}

async function isMarked(folder: string): Promise<boolean> {
  const prefix = `.${basename(folder)}.`;
  const names = await readdir(dirname(folder)).catch(() => []);
  return names.some((name) => name.startsWith(prefix) && name.endsWith('.use'));
}

/** Marks, temporary folders and incoming files that nobody needs any more. */
async function sweep(parent: string): Promise<void> {
  const hidden = (await readdir(parent).catch(() => [])).filter((name) => name.startsWith('.'));
  for (const hash of new Set(hidden.map((name) => name.split('.')[1]))) {
    const folder = join(parent, hash);
    for (const ending of ['use', 'tmp', 'previous']) {
      for (const path of await findAbandoned(folder, ending))
        await rm(path, { recursive: true, force: true });
    }
    const incoming = incomingOf(folder);
    const names = await readdir(incoming).catch(() => undefined);
    if (names === undefined) continue;
    const changes = await Promise.all(
      [incoming, ...names.map((name) => join(incoming, name))].map(changedMs),
    );
    if (Date.now() - Math.max(...changes) > FORGOTTEN_AFTER_MS)
      await rm(incoming, { recursive: true, force: true });
  }
}

/** When a file or folder was changed, in ms; 0 where there is none. */
async function changedMs(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
}

async function cachedFolders(parent: string): Promise<string[]> {
  return (await foldersIn(parent))
    .filter((name) => /^[0-9a-f]{64}$/.test(name))
    .map((name) => join(parent, name));
}

async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
}
