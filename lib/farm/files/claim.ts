/** One process does what several would do at once, while the others wait for it. */
import { rm, stat, utimes, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const BEAT_MS = 1000;
/** Whoever lets so many beats pass is gone. Processes of several machines may share the folder, so that a process number tells nothing. */
const GONE_AFTER_MS = 10_000;
const POLL_MS = 200;

/**
 * Waits until this process holds the claim or `isDone`. The claim is a file that its holder touches every second; one whose holder is gone
 * is taken over. Two may hold it for a while where a process stood still: what is done under it must bear that.
 *
 * @returns lets go of the claim; undefined where it is done
 * @throws the signal's reason, or the system's error where the file cannot be written
 */
export async function claim(
  file: string,
  isDone: () => Promise<boolean>,
  signal?: AbortSignal,
): Promise<(() => Promise<void>) | undefined> {
  let seen = { beat: Number.NaN, atMs: 0 };
  for (;;) {
    signal?.throwIfAborted();
    if (await isDone()) return undefined;
    if (await tryClaim(file)) return hold(file);
    const beat = (await stat(file).catch(() => undefined))?.mtimeMs;
    const nowMs = performance.now();
    if (beat !== undefined && beat !== seen.beat) seen = { beat, atMs: nowMs };
    // By this process's clock alone: the file's time is by another machine's, or from before this one's was set.
    if (beat !== undefined && nowMs - seen.atMs > GONE_AFTER_MS) await rm(file, { force: true });
    else await sleep(POLL_MS, undefined, { signal });
  }
}

async function tryClaim(file: string): Promise<boolean> {
  return writeFile(file, '', { flag: 'wx' }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
      return false;
    },
  );
}

function hold(file: string): () => Promise<void> {
  const beat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, BEAT_MS).unref();
  return async () => {
    clearInterval(beat);
    await rm(file, { force: true });
  };
}
