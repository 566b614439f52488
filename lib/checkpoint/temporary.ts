/** Hidden siblings under which files and folders are written before they get their name, each of one writer alone. */
import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, sep } from 'node:path';
import { threadId } from 'node:worker_threads';

/** Where a process number means this process: this machine, and of containers that share its name, this one. */
const HOST = createHash('sha256')
  .update(hostname() + pidNamespace())
  .digest('hex')
  .slice(0, 8);

/** What another machine has not touched for so long is left behind. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;

const inUse = new Set<string>();

/** A new name beside `target` that tells which process writes there; to be released when it is renamed or removed. */
export function temporarySibling(target: string, ending: string): string {
  const owner = `${HOST}-${process.pid}-${threadId}-${randomBytes(4).toString('hex')}`;
  const path = join(dirname(target), `.${basename(target)}.${owner}.${ending}`);
  inUse.add(path);
  return path;
}

const NAME = /^\.(.+)\.([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{8}\.(\w+)$/;

/** A path as a person knows it: temporary siblings in it by the names that they are to get. */
export function visiblePath(path: string): string {
  return path
    .split(sep)
    .map((part) => NAME.exec(part)?.[1] ?? part)
    .join(sep);
}

export function releaseTemporary(path: string): void {
  inUse.delete(path);
}

/** Siblings of `target` with that ending whose writer is gone. */
export async function findAbandoned(target: string, ending: string): Promise<string[]> {
  const folder = dirname(target);
  const abandoned: string[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const [, named, host, pid, thread, found] = NAME.exec(name) ?? [];
    if (named !== basename(target) || found !== ending) continue;
    const path = join(folder, name);
    if (await isAbandoned(path, host, Number(pid), Number(thread))) abandoned.push(path);
  }
  return abandoned;
}

async function isAbandoned(path: string, host: string, pid: number, thread: number): Promise<boolean> {
  if (host === HOST) {
    if (pid === process.pid && thread === threadId) return !inUse.has(path);
    if (!isAlive(pid)) return true;
  }
  // The number may be another process's by now.
  const entry = await lstat(path).catch(() => undefined);
  return entry !== undefined && Date.now() - entry.mtimeMs > ABANDONED_AFTER_MS;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** From Linux's /proc; empty elsewhere. */
function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
