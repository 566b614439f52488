/** Brings a model's folder to a worker: from a path that it shares with the trainer, from its cache, or from the trainer's file server. */
import { rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { writeDirectoryAtomic } from '../../checkpoint/atomic.js';
import { writeChecksums } from '../../checkpoint/checksums.js';
import { requireSpace } from '../../checkpoint/disk-space.js';
import { downloadFile, downloadProblemOf } from '../../checkpoint/download.js';
import { exists, makeFolder } from '../../checkpoint/files.js';
import type { OnNotice } from '../../notice.js';
import {
  claimOf,
  compareFolder,
  findCached,
  incomingOf,
  linkFile,
  markUsed,
  prune,
  removeFolder,
  touch,
} from './cache.js';
import { claim } from './claim.js';
import { ELSEWHERE, explainDisk, fetchFailure, formatMegabytes, isFull } from './failure.js';
import { contentOf, rememberContent, sizeOf } from './hashes.js';
import type { FolderManifest, ManifestFile } from './manifest.js';

export interface FetchOptions {
  /** The trainer's file server, where it has one. */
  server?: { address: string; token: string };
  /** The folder of all kinds of models that this machine keeps; several processes may share it. */
  cache: string;
  /** How many folders of the kind stay, the last used (default 2). */
  keep?: number;
  /** What the folder is of a model, a plain name: "policy". */
  kind: string;
  signal?: AbortSignal;
  /** Is told what is downloaded, and where files are not those that they should be. */
  onNotice?: OnNotice;
}

const MAX_TRIES = 3;

/**
 * The folder to open a model from: the trainer's own where this machine sees it under the same path with the same files, else one of
 * `cache`, whose files are downloaded where they are missing. Downloads go on where they broke; of the processes that share a cache one
 * downloads, and the others wait. The files may be removed once `keep` other folders of the kind have been fetched in this process.
 *
 * @param manifest checked by `folderManifestSchema`
 * @throws Error in one sentence, which `fetchProblemOf` tells apart; or the signal's reason
 */
export async function fetchFolder(manifest: FolderManifest, options: FetchOptions): Promise<string> {
  const { cache, keep = 2, kind, signal, onNotice } = options;
  signal?.throwIfAborted();
  const shared = await compareFolder(manifest.path, manifest);
  if (shared === 'equal') return manifest.path;
  if (shared === 'different')
    onNotice?.(`${manifest.path} has other files here than at the trainer, and is not used.`);
  const folder = join(resolve(cache), kind, manifest.hash);
  let missingBytes = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
  try {
    await markUsed(folder, keep);
    for (let tries = 0; !(await isWhole(folder, manifest, onNotice)); tries++) {
      if (tries === MAX_TRIES)
        throw fetchFailure('disk', `${folder}: the disk gives back other bytes than were written.`);
      const release = await claim(claimOf(folder), () => exists(folder), signal);
      try {
        if (release) await assemble(folder, manifest, options, (bytes) => (missingBytes = bytes));
      } catch (error) {
        // Another process that held the claim too was faster.
        if (!(await exists(folder))) throw error;
      } finally {
        await release?.();
      }
    }
    await touch(folder);
    return folder;
  } catch (error) {
    signal?.throwIfAborted();
    const failure = explainDisk(error, dirname(folder), missingBytes);
    // What has come fills the disk, for others too.
    if (isFull(failure))
      await rm(incomingOf(folder), { recursive: true, force: true }).catch(() => undefined);
    throw failure;
  }
}

/** Whether the cache has the folder; one that was damaged is removed. */
async function isWhole(folder: string, manifest: FolderManifest, onNotice?: OnNotice): Promise<boolean> {
  if (!(await exists(folder))) return false;
  if ((await compareFolder(folder, manifest)) === 'equal') return true;
  onNotice?.(`${folder} was damaged, and is fetched anew.`);
  await removeFolder(folder);
  return false;
}

/** Gets the files that are missing, and makes the folder of them. */
async function assemble(
  folder: string,
  manifest: FolderManifest,
  { cache, server, keep = 2, kind, signal, onNotice }: FetchOptions,
  onMissing: (bytes: number) => void,
): Promise<void> {
  const incoming = incomingOf(folder);
  await makeFolder(incoming);
  const wanted = [...new Map(manifest.files.map((file) => [file.sha256, file])).values()];
  const missing: ManifestFile[] = [];
  for (const file of wanted) {
    if (!(await hasCome(incoming, file)) && !(await takeFromCache(cache, incoming, file))) missing.push(file);
  }
  // Before the download, so that there is never room needed for more than are kept.
  await prune(dirname(folder), keep - 1);
  const bytes = missing.reduce((sum, file) => sum + file.bytes, 0);
  onMissing(bytes);
  if (missing.length > 0) {
    await requireSpace(dirname(folder), bytes, ELSEWHERE).catch(({ message, cause }: Error) => {
      throw fetchFailure('disk', message, cause);
    });
    if (server) onNotice?.(`Downloading the ${kind} (${formatMegabytes(bytes)}) from ${server.address}`);
    for (const file of missing)
      await download(file, join(incoming, file.sha256), server, manifest.path, signal);
  }
  await writeDirectoryAtomic(folder, async (temporary) => {
    for (const { name, sha256 } of manifest.files)
      await linkFile(join(incoming, sha256), join(temporary, name));
    await writeChecksums(temporary, new Map(manifest.files.map(({ name, sha256 }) => [name, sha256])));
  });
  for (const { name, sha256 } of manifest.files) await rememberContent(join(folder, name), sha256);
  await rm(incoming, { recursive: true, force: true });
}

async function hasCome(incoming: string, { bytes, sha256 }: ManifestFile): Promise<boolean> {
  const path = join(incoming, sha256);
  if ((await sizeOf(path)) !== bytes) return false;
  return (await contentOf(path)).sha256 === sha256;
}

async function takeFromCache(cache: string, incoming: string, file: ManifestFile): Promise<boolean> {
  const path = await findCached(cache, file);
  if (path === undefined) return false;
  const target = join(incoming, file.sha256);
  await rm(target, { force: true });
  // Another process may have removed it meanwhile.
  return linkFile(path, target).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return false;
    },
  );
}

export type Server = NonNullable<FetchOptions['server']>;

const REMEDY =
  'start the run with --serve-at ADDRESS:PORT, or put its folder where this worker sees it under the same path';

/**
 * Downloads a file that the trainer has in the folder `path`.
 *
 * @throws Error as `fetchFolder`
 */
export async function download(
  { name, bytes, sha256 }: ManifestFile,
  target: string,
  server: Server | undefined,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!server) {
    throw fetchFailure(
      'unreachable',
      `${path} is not on this machine, and the run serves no files: ${REMEDY}.`,
    );
  }
  const { address, token } = server;
  const headers = { Authorization: `Bearer ${token}` };
  try {
    const options = { sha256, bytes, headers, isOwnServer: true, signal };
    await downloadFile(`${address}/files/${sha256}`, target, options);
  } catch (error) {
    signal?.throwIfAborted();
    const problem = error instanceof Error ? downloadProblemOf(error) : undefined;
    if (problem === undefined) throw error;
    const what = `${join(path, name)} (${formatMegabytes(bytes)})`;
    const reason = ((error as Error).cause as Error).message;
    if (problem === 'unreachable') {
      throw fetchFailure(
        'unreachable',
        `${what} could not be fetched from the trainer: ${address} ${reason}; ${REMEDY}.`,
        error,
      );
    }
    if (problem === 'other-content') {
      throw fetchFailure(
        'other-content',
        `${what} as ${address} sends it is refused: ${reason}; it was changed after the run offered it.`,
        error,
      );
    }
    throw fetchFailure(
      'withdrawn',
      `${address} does not offer ${what} to this worker (it answers ${problem.status}): the run has gone on, was started anew, or has lost the file.`,
      error,
    );
  }
}
