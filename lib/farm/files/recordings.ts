/** Recordings that workers score: single files, by hash. */
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../../checkpoint/files.js';
import { explainDisk } from './failure.js';
import { download, type Server } from './fetch.js';
import { contentOf, sizeOf } from './hashes.js';
import { absolutePathSchema, sha256Schema } from './manifest.js';
import type { FileServer } from './server.js';

export const recordingSchema = z.strictObject({
  /** On the machine that has it. */
  path: absolutePathSchema,
  bytes: z.int().min(0),
  sha256: sha256Schema,
});

export type RecordingFile = z.infer<typeof recordingSchema>;

/** @throws Error when it is no file that can be read */
export async function describeRecording(file: string): Promise<RecordingFile> {
  const path = resolve(file);
  return { path, ...(await contentOf(path)) };
}

/** Serves a recording from now on. */
export function offerRecording(server: FileServer, { path, bytes, sha256 }: RecordingFile): void {
  server.offer({ hash: sha256, path: dirname(path), files: [{ name: basename(path), bytes, sha256 }] });
}

/**
 * Where a worker finds a recording: at the same path, where this machine sees the same file there, else downloaded into a folder.
 *
 * @throws Error as `fetchFolder`
 */
export async function fetchRecording(
  { path, bytes, sha256 }: RecordingFile,
  { server, folder, signal }: { server?: Server; folder: string; signal?: AbortSignal },
): Promise<string> {
  // One that this user may not read is fetched too.
  const isSame = async () => (await contentOf(path).catch(() => undefined))?.sha256 === sha256;
  if ((await sizeOf(path)) === bytes && (await isSame())) return path;
  const target = join(folder, `${sha256}.wav`);
  try {
    await makeFolder(folder);
    await download({ name: basename(path), bytes, sha256 }, target, server, dirname(path), signal);
  } catch (error) {
    throw explainDisk(error, folder, bytes);
  }
  return target;
}
