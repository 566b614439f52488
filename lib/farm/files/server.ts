/** A run's file server: gives its workers the files of models that are offered, by SHA-256, and nothing else. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { open, type FileHandle } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { FolderManifest, ManifestFile } from './manifest.js';
import { explainListenError, formatHost, refuseLoopbackName, type ServeAt } from './serve-at.js';

export interface FileServer {
  /** Where workers ask, without a slash at the end. */
  readonly address: string;
  /** What a request must show: `Authorization: Bearer {token}`. */
  readonly token: string;
  /** Serves a folder's files from now on. */
  offer(manifest: FolderManifest): void;
  /** Serves them no more, unless another folder that is offered has them too. */
  withdraw(hash: string): void;
  close(): Promise<void>;
}

/** A worker that takes nothing for so long is gone; one that is not asks for the rest. */
const IDLE_MS = 60_000;

/**
 * Serves files over HTTP, to be read only: `GET /files/{sha256}` with one range of bytes, and HEAD.
 *
 * @param at default: a free port of the loopback interface, which this machine alone reaches
 * @throws Error in one sentence when it cannot listen there
 */
export async function serveFiles({
  host = '127.0.0.1',
  port = 0,
}: Partial<ServeAt> = {}): Promise<FileServer> {
  const token = randomBytes(32).toString('hex');
  const expected = digest(`Bearer ${token}`);
  const offered = new Map<string, FolderManifest>();
  const server = createServer((request, response) => {
    // A worker that went away, or a file that could not be read on: the connection is closed, and nobody is left to be told.
    void answer(request, response, expected, offered).catch(() => response.destroy());
  });
  server.setTimeout(IDLE_MS);
  server.listen(port, host);
  await once(server, 'listening').catch((error: unknown) => {
    throw explainListenError(error, { host, port });
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const bound = server.address() as AddressInfo;
  try {
    refuseLoopbackName({ host }, bound.address);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    address: `http://${formatHost(host)}:${bound.port}`,
    token,
    offer: (manifest) => void offered.set(manifest.hash, manifest),
    withdraw: (hash) => void offered.delete(hash),
    close,
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  expected: Buffer,
  offered: ReadonlyMap<string, FolderManifest>,
): Promise<void> {
  const refuse = (status: number, headers: Record<string, string> = {}) =>
    void response.writeHead(status, { 'Content-Length': '0', ...headers }).end();
  // Of equal length, so that the comparison tells nothing by its time.
  if (!timingSafeEqual(digest(request.headers.authorization ?? ''), expected))
    return refuse(401, { 'WWW-Authenticate': 'Bearer' });
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405, { Allow: 'GET, HEAD' });
  const [, sha256] = /^\/files\/([0-9a-f]{64})$/.exec(request.url ?? '') ?? [];
  const candidates = sha256 === undefined ? [] : findOffered(offered, sha256);
  if (candidates.length === 0) return refuse(404);
  const handle = await openUnchanged(candidates);
  if (!handle) return refuse(410);
  try {
    const [{ bytes }] = candidates;
    const headers = {
      'Accept-Ranges': 'bytes',
      'Content-Type': 'application/octet-stream',
      ETag: `"${sha256}"`,
    };
    const range = request.method === 'GET' ? parseRange(request.headers.range, bytes) : undefined;
    if (range === 'unsatisfiable') return refuse(416, { 'Content-Range': `bytes */${bytes}` });
    const { start, end } = range ?? { start: 0, end: bytes };
    response.writeHead(range ? 206 : 200, {
      ...headers,
      'Content-Length': end - start,
      ...(range && { 'Content-Range': `bytes ${start}-${end - 1}/${bytes}` }),
    });
    if (request.method === 'HEAD') return void response.end();
    await pipeline(read(handle, start, end), response);
  } finally {
    await handle.close();
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The files of that content, each with its path: several folders may have it. */
function findOffered(
  offered: ReadonlyMap<string, FolderManifest>,
  sha256: string,
): { path: string; bytes: number }[] {
  const isWanted = (file: ManifestFile) => file.sha256 === sha256;
  return [...offered.values()].flatMap(({ path, files }) =>
    files.filter(isWanted).map(({ name, bytes }) => ({ path: join(path, name), bytes })),
  );
}

/** The first of the files that has its size still; undefined where none has. Its content is checked by who reads it. */
async function openUnchanged(
  candidates: readonly { path: string; bytes: number }[],
): Promise<FileHandle | undefined> {
  for (const { path, bytes } of candidates) {
    const handle = await open(path).catch(() => undefined);
    const stats = await handle?.stat().catch(() => undefined);
    if (stats?.isFile() && stats.size === bytes) return handle;
    await handle?.close();
  }
  return undefined;
}

/** One range of bytes, `end` exclusive; undefined where all are to be sent: several ranges, and what is no range, are passed over. */
function parseRange(
  header: string | undefined,
  bytes: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? ['', '', ''];
  if (first === '' && last === '') return undefined;
  const isSuffix = first === '';
  const start = isSuffix ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = isSuffix || last === '' ? bytes : Math.min(bytes, Number(last) + 1);
  if (!isSuffix && last !== '' && Number(last) < start) return undefined;
  return start < end ? { start, end } : 'unsatisfiable';
}

const CHUNK_BYTES = 1 << 18;

async function* read(handle: FileHandle, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end;) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - at));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    // The connection breaks: fewer bytes than were announced would keep the worker waiting.
    if (bytesRead === 0) throw new Error('the file became shorter while it was sent');
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}
