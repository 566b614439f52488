import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashFile } from './atomic.js';
import { requireSpace } from './disk-space.js';
import { checkAddress } from './environment.js';
import { makeFolder } from './files.js';
import { createPace } from './pace.js';
import { findAbandoned, releaseTemporary, temporarySibling } from './temporary.js';
import { fetchFromWeb, reasonOf, Unreachable } from './web.js';

export interface DownloadOptions {
  /** SHA-256 of the right file, in hex: any other is refused and removed. */
  sha256?: string;
  /** The same by the name that Git gives the content. */
  gitHash?: string;
  /** Size of the right file, where it is known: of a longer one no more is read. */
  bytes?: number;
  headers?: Readonly<Record<string, string>>;
  /**
   * The server belongs to the run (default false): HF_HUB_OFFLINE and the environment's proxies, which are for the world outside, do not
   * count.
   */
  isOwnServer?: boolean;
  /** `totalBytes` is undefined where the server does not tell. */
  onProgress?: (receivedBytes: number, totalBytes: number | undefined) => void;
  signal?: AbortSignal;
}

/** A download is retried until so many tries, one after the other, have brought no byte. */
const MAX_FRUITLESS_TRIES = 4;
const FIRST_PAUSE_MS = 100;

/** The variable with which Hugging Face's libraries, too, are kept from downloading. */
const OFFLINE = 'HF_HUB_OFFLINE';

/** Whether the environment forbids downloads: HF_HUB_OFFLINE is 1, on, yes or true. */
export function isOffline(): boolean {
  return /^(1|on|yes|true)$/i.test(process.env[OFFLINE] ?? '');
}

/**
 * Downloads a file over HTTP: streamed into a hidden sibling of `path`, checked, then renamed, so that `path` holds the whole
 * file or what was there before. A connection that breaks, or on which nothing comes, goes on where it stopped, and so does a later
 * call, if the file's hash is known. A server that sends fewer than 1000 bytes a second for a minute is given up. Several calls and processes may download the same file: each ends with all of it.
 *
 * @throws Error with the URL when the server has no such file or refuses it, cannot be reached, or sends another file than the hash
 * says, or a web page; when HF_HUB_OFFLINE forbids downloads; when the disk has no room for the file, or it cannot be written. `downloadProblemOf` tells the first three
 * apart.
 */
export async function downloadFile(url: string, path: string, options: DownloadOptions = {}): Promise<void> {
  if (isOffline() && !options.isOwnServer)
    throw new Error(`${url}: not downloaded, because ${OFFLINE} is set`);
  checkAddress(url, 'the address to download from');
  const target = resolve(path);
  const isCheckable = (options.sha256 ?? options.gitHash) !== undefined;
  await makeFolder(dirname(target));
  const part = temporarySibling(target, 'part');
  try {
    const isResumed = await takeUp(target, part, isCheckable);
    await receiveAll(url, part, options);
    const wrong = await whatIsWrong(part, options);
    if (wrong) {
      await rm(part, { force: true });
      // What was taken up may have been damaged, or of another file.
      if (isResumed) return await downloadFile(url, path, options);
      throw new Error(`${url}: refused: ${wrong}`, { cause: new OtherContent(wrong) });
    }
    await rename(part, target);
  } catch (error) {
    const came = await stat(part).catch(() => undefined);
    if (isCheckable && came?.size) await rename(part, keptPart(target)).catch(() => undefined);
    await rm(part, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    releaseTemporary(part);
  }
}

class OtherContent extends Error {}

/** The server says no; `status` is HTTP's. */
class Refusal extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** What `downloadFile` failed by; undefined where it is not the server's. */
export function downloadProblemOf({
  cause,
}: Error): 'unreachable' | 'other-content' | { status: number } | undefined {
  if (cause instanceof Unreachable) return 'unreachable';
  if (cause instanceof OtherContent) return 'other-content';
  return cause instanceof Refusal ? { status: cause.status } : undefined;
}

/** Where a call that gives up leaves what has come. */
function keptPart(target: string): string {
  return join(dirname(target), `.${basename(target)}.part`);
}

/** Copies the largest beginning of the file that nobody writes any more to `part`, if one is there and wanted, and removes all. */
async function takeUp(target: string, part: string, isWanted: boolean): Promise<boolean> {
  const beginnings: { path: string; size: number }[] = [];
  for (const path of [keptPart(target), ...(await findAbandoned(target, 'part'))]) {
    const found = await stat(path).catch(() => undefined);
    if (found) beginnings.push({ path, size: found.size });
  }
  const [largest] = beginnings.sort((a, b) => b.size - a.size);
  const isTaken =
    isWanted &&
    largest !== undefined &&
    (await copyFile(largest.path, part).then(
      () => true,
      // Another process has taken it up.
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        return false;
      },
    ));
  for (const { path } of beginnings) await rm(path, { force: true });
  return isTaken;
}

async function whatIsWrong(
  part: string,
  { sha256, gitHash, bytes = Infinity }: DownloadOptions,
): Promise<string | undefined> {
  if ((await stat(part)).size > bytes) return `more came than the ${bytes} bytes that it has`;
  if (sha256 !== undefined) {
    const found = await hashFile(part);
    if (found !== sha256) return `the SHA-256 of what came is ${found}; expected ${sha256}`;
  }
  if (gitHash !== undefined) {
    const found = await gitHashOf(part);
    if (found !== gitHash) return `its Git hash is ${found}; expected ${gitHash}`;
  }
  return undefined;
}

/** As `git hash-object`: SHA-1 of "blob", the size and the content. */
async function gitHashOf(path: string): Promise<string> {
  const hash = createHash('sha1').update(`blob ${(await stat(path)).size}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** The connection broke, or the server was too busy: worth another try. */
const interruption = (message: string, cause?: unknown) =>
  new Unreachable(message, { cause, isInterruption: true });

async function receiveAll(url: string, part: string, options: DownloadOptions): Promise<void> {
  // What has come stays; flag "a+" would write at the end only.
  const file = await open(part, constants.O_RDWR | constants.O_CREAT);
  try {
    let fruitless = 0;
    // Of all tries together: a server may break each connection before it is found too slow.
    const keepPace = createPace();
    for (;;) {
      const before = (await file.stat()).size;
      try {
        await receive(url, { path: part, file, start: before, keepPace }, options);
        return await file.sync();
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        fruitless = (await file.stat()).size > before ? 0 : fruitless + 1;
        if (!error.isInterruption || fruitless === MAX_FRUITLESS_TRIES)
          throw new Error(`${url}: ${error.message}`, { cause: error });
        await sleep(FIRST_PAUSE_MS * 2 ** fruitless, undefined, { signal: options.signal });
      }
    }
  } finally {
    await file.close();
  }
}

/** One request for the bytes from `start` on. */
async function receive(
  url: string,
  part: { path: string; file: FileHandle; start: number; keepPace: (bytes: number) => void },
  options: DownloadOptions,
): Promise<void> {
  const { path, file, start, keepPace } = part;
  const { onProgress, signal, isOwnServer: isDirect, bytes = Infinity } = options;
  const range = start > 0 && { Range: `bytes=${start}-` };
  // Compressed on the way, a part of the file could not be asked for.
  const headers = { 'Accept-Encoding': 'identity', ...options.headers, ...range };
  const response = await fetchFromWeb(url, { headers, signal, isDirect });
  if (response.status === 416 && start > 0) {
    // What is there is no beginning of this file.
    await response.body?.cancel();
    await file.truncate(0);
    return receive(url, { ...part, start: 0 }, options);
  }
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    const answer = `the server answers ${response.status} ${response.statusText}`.trim();
    if (response.status >= 500 || response.status === 429) throw interruption(answer);
    throw new Error(`${url}: ${answer}`, { cause: new Refusal(answer, response.status) });
  }
  // A server may send the whole file whatever part was asked for.
  let at = response.status === 206 ? start : 0;
  if (at < start) await file.truncate(at);
  const length = response.headers.get('content-length');
  const totalBytes = length === null ? undefined : at + Number(length);
  if (totalBytes !== undefined)
    await requireSpace(dirname(path), Math.min(totalBytes, bytes) - at).catch(async (error: unknown) => {
      await response.body?.cancel();
      throw error;
    });
  onProgress?.(at, totalBytes);
  for await (const chunk of uninterrupted(response.body, signal)) {
    await file.write(chunk, 0, chunk.length, at);
    at += chunk.length;
    keepPace(chunk.length);
    onProgress?.(at, totalBytes);
    if (at > bytes) return;
  }
}

/** The body's chunks; a connection that breaks is told apart from a file that cannot be written. */
async function* uninterrupted(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) yield chunk;
  } catch (error) {
    signal?.throwIfAborted();
    throw interruption(`the connection broke (${reasonOf(error)})`, error);
  }
}
