import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface DownloadOptions {
  /** SHA-256 of the right file, in hex: any other is refused and removed. */
  sha256?: string;
  headers?: Readonly<Record<string, string>>;
  /** `totalBytes` is undefined where the server does not tell. */
  onProgress?: (receivedBytes: number, totalBytes: number | undefined) => void;
  signal?: AbortSignal;
}

/** A connection that breaks is opened again this often without a byte in between. */
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
 * file or what was there before. A connection that breaks goes on where it stopped, and so does a later call, if the file's
 * SHA-256 is known.
 *
 * @throws Error with the URL when the server has no such file or refuses it, cannot be reached, or sends another file than `sha256`
 * says; when HF_HUB_OFFLINE forbids downloads; when the file cannot be written
 */
export async function downloadFile(url: string, path: string, options: DownloadOptions = {}): Promise<void> {
  if (isOffline()) throw new Error(`${url}: not downloaded, because ${OFFLINE} is set`);
  const { sha256 } = options;
  const part = join(dirname(resolve(path)), `.${basename(path)}.part`);
  await mkdir(dirname(part), { recursive: true });
  if (!sha256) await rm(part, { force: true });
  const resumed = existsSync(part);
  await receiveAll(url, part, options);
  const found = sha256 && (await sha256Of(part));
  if (found !== sha256) {
    await rm(part, { force: true });
    // The part that lay there may have been damaged, or of another file.
    if (resumed) return downloadFile(url, path, options);
    throw new Error(`${url}: refused: the SHA-256 of what came is ${found}; expected ${sha256}`);
  }
  // Another process may have finished the same file, and with it taken the part away.
  await rename(part, path).catch((error: unknown) => {
    if (!existsSync(path)) throw error;
  });
}

/** The SHA-256 of a file, in hex. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** Where the connection broke, or the server was too busy: worth another try. */
class Interruption extends Error {}

async function receiveAll(url: string, part: string, options: DownloadOptions): Promise<void> {
  const file = await open(part, existsSync(part) ? 'r+' : 'w');
  try {
    let fruitless = 0;
    for (;;) {
      const before = (await file.stat()).size;
      try {
        await receive(url, file, before, options);
        return await file.sync();
      } catch (error) {
        if (!(error instanceof Interruption)) throw error;
        fruitless = (await file.stat()).size > before ? 0 : fruitless + 1;
        if (fruitless === MAX_FRUITLESS_TRIES) throw new Error(`${url}: ${error.message}`, { cause: error });
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
  file: FileHandle,
  start: number,
  options: DownloadOptions,
): Promise<void> {
  const { onProgress, signal } = options;
  const range = start > 0 && { Range: `bytes=${start}-` };
  // Compressed on the way, a part of the file could not be asked for.
  const headers = { 'Accept-Encoding': 'identity', ...options.headers, ...range };
  const response = await fetch(url, { headers, signal }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new Error(`${url}: cannot be reached (${reasonOf(error)})`, { cause: error });
  });
  if (response.status === 416 && start > 0) {
    // What is there is no beginning of this file.
    await response.body?.cancel();
    await file.truncate(0);
    return receive(url, file, 0, options);
  }
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    const answer = `the server answers ${response.status} ${response.statusText}`.trim();
    if (response.status >= 500 || response.status === 429) throw new Interruption(answer);
    throw new Error(`${url}: ${answer}`);
  }
  // A server may send the whole file whatever part was asked for.
  let at = response.status === 206 ? start : 0;
  await file.truncate(at);
  const length = response.headers.get('content-length');
  const totalBytes = length === null ? undefined : at + Number(length);
  onProgress?.(at, totalBytes);
  for await (const chunk of uninterrupted(response.body, signal)) {
    await file.write(chunk, 0, chunk.length, at);
    at += chunk.length;
    onProgress?.(at, totalBytes);
  }
}

/** The body's chunks; a connection that breaks is told apart from a file that cannot be written. */
async function* uninterrupted(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    signal?.throwIfAborted();
    throw new Interruption(`the connection broke (${reasonOf(error)})`, { cause: error });
  }
}

const REASONS: Record<string, string> = {
  ENOTFOUND: 'no such host, or no network',
  EAI_AGAIN: 'its name cannot be looked up: no network',
  ENETUNREACH: 'no network',
  ECONNREFUSED: 'connection refused',
  UND_ERR_CONNECT_TIMEOUT: 'no answer',
};

/** What went wrong under a fetch, which itself says only "fetch failed" or "terminated". */
function reasonOf(error: unknown): string {
  const { cause = error } = error as { cause?: unknown };
  const { code = '', message } = cause as NodeJS.ErrnoException;
  return REASONS[code] ?? (message || code);
}
