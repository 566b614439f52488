/** One writer at a time: a lock file in a directory names the process that writes a run there, or one file of it. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { readdir, readFile, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { remove } from '../checkpoint/atomic.js';
import { explainWriteError } from '../checkpoint/write-error.js';
import { makeFolder, openFile } from '../checkpoint/files.js';

const ownerSchema = z.strictObject({
  pid: z.number().int().positive(),
  host: z.string(),
  /** ISO 8601. */
  startedAt: z.string(),
  /** When the system started the process, in its own units; tells a process from a later one of the same pid. */
  processStart: z.string().nullable(),
});

const REFRESH_SECONDS = 15;
/** A lock of another machine, or one that cannot be read, counts as left behind when it was not refreshed for this long. */
const STALE_SECONDS = 120;

/**
 * Yields what `work` yields while the directory (made where it is missing) is locked for this process. A lock whose process is gone is
 * taken over.
 *
 * @param file locks only this file of the directory
 * @returns what `work` returns
 * @throws Error naming process, machine and time where another process holds it
 */
export async function* whileLocked<T, Result>(
  directory: string,
  work: () => AsyncGenerator<T, Result>,
  file?: string,
): AsyncGenerator<T, Result> {
  await using _lock = await hold(directory, file);
  return yield* work();
}

/**
 * The same of work that yields nothing.
 *
 * @throws Error as {@link whileLocked}
 */
export async function holdingLock<Result>(
  directory: string,
  work: () => Promise<Result>,
  file?: string,
): Promise<Result> {
  await using _lock = await hold(directory, file);
  return await work();
}

/** Holds the lock until it is disposed of. */
async function hold(directory: string, file?: string): Promise<AsyncDisposable> {
  const path = await lock(directory, file === undefined ? '.lock_' : `.${file}.lock_`);
  // The file's age tells other machines that this process lives.
  const refresh = setInterval(
    () => void utimes(path, new Date(), new Date()).catch(() => undefined),
    REFRESH_SECONDS * 1000,
  );
  refresh.unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(refresh);
      await remove(path);
    },
  };
}

/**
 * The highest-numbered lock is the one that counts. A stale one is not removed before the next is there, so that two processes that both
 * find it stale compete for one and the same new name. Where one of them is done before the other is there, a third may have a lower
 * number by then: it holds the directory.
 */
async function lock(directory: string, prefix: string): Promise<string> {
  await makeFolder(directory).catch((error: unknown) => {
    throw explainWriteError(error, directory);
  });
  const pathOf = (number: number) => join(directory, `${prefix}${number}.json`);
  for (;;) {
    const numbers = await listLocks(directory, prefix);
    const [newest = 0] = numbers;
    if (newest > 0) await refuseIfHeld(pathOf(newest));
    const path = pathOf(newest + 1);
    if (!(await createLock(path))) continue;
    try {
      for (const number of await listLocks(directory, prefix))
        if (number !== newest + 1) await refuseIfHeld(pathOf(number));
    } catch (error) {
      await remove(path);
      throw error;
    }
    for (const number of numbers) await remove(pathOf(number));
    return path;
  }
}

/** Highest first. */
async function listLocks(directory: string, prefix: string): Promise<number[]> {
  return (await readdir(directory))
    .filter((name) => name.startsWith(prefix))
    .flatMap((name) => /^(\d+)\.json$/.exec(name.slice(prefix.length))?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/** False when it exists. */
async function createLock(path: string): Promise<boolean> {
  const owner: z.infer<typeof ownerSchema> = {
    pid: process.pid,
    host: hostname(),
    startedAt: new Date().toISOString(),
    processStart: await startOfProcess(process.pid),
  };
  try {
    const file = openSync(path, 'wx');
    try {
      writeSync(file, JSON.stringify(owner) + '\n');
    } catch (error) {
      // Without an owner it would count as held for a while.
      rmSync(path, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw explainWriteError(error, dirname(path));
  }
}

/** Whether a process is writing to a directory that {@link whileLocked} locks. */
export async function isBeingWritten(directory: string): Promise<boolean> {
  const prefix = '.lock_';
  const [newest] = await listLocks(directory, prefix);
  return newest !== undefined && (await findHolder(join(directory, `${prefix}${newest}.json`))) !== undefined;
}

async function refuseIfHeld(path: string): Promise<void> {
  const holder = await findHolder(path);
  if (holder === undefined) return;
  const { who, isThisProcess } = holder;
  const advice = isThisProcess
    ? 'wait for it, or go on with what it opened first; in a notebook, a restart of the kernel ends it'
    : 'wait for it, or end it first';
  throw new Error(`${who}: ${advice}`);
}

/** Who holds a lock, as the beginning of a sentence; undefined where nobody does. */
async function findHolder(path: string): Promise<{ who: string; isThisProcess: boolean } | undefined> {
  const entry = await stat(path).catch(() => undefined);
  if (!entry) return undefined;
  const ageSeconds = (Date.now() - entry.mtimeMs) / 1000;
  const { data: owner } = ownerSchema.safeParse(await readJson(path));
  const isHeld = owner?.host === hostname() ? await isSameProcess(owner) : ageSeconds < STALE_SECONDS;
  if (!isHeld) return undefined;
  const isThisProcess = owner?.host === hostname() && owner.pid === process.pid;
  const name = owner ? `process ${owner.pid} on ${owner.host}, since ${owner.startedAt}` : 'another process';
  const who = `${name}, ${isThisProcess ? 'which is this one, ' : ''}is writing there (lock ${path}, refreshed ${Math.round(ageSeconds)} s ago)`;
  return { who, isThisProcess };
}

async function readJson(path: string): Promise<unknown> {
  try {
    const handle = await openFile(path);
    return JSON.parse(await handle.readFile('utf8').finally(() => handle.close()));
  } catch {
    return undefined;
  }
}

async function isSameProcess({ pid, processStart }: z.infer<typeof ownerSchema>): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return (await startOfProcess(pid)) === processStart;
}

/** From Linux's /proc; null elsewhere, where a pid has to do. */
async function startOfProcess(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // Fields after the name, which may hold blanks and brackets: state is the first, the start time the 20th.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}
