/** The workers of a run as its trainer sees them. */
import type { WorkerStatus } from '../run/events.js';
import type { WorkerRecord } from './presence.js';

/** Results are counted over so long for the time that remains. */
const RATE_MS = 60_000;

export interface Fleet {
  /** A result came. */
  count(worker: string, seconds: number): void;
  /** Who is there, as the directory has it. */
  see(records: readonly WorkerRecord[]): void;
  /** In the order they were met. */
  workers(): WorkerStatus[];
  /** Until that many results have come, by the rate of the last minute; undefined before there is one. */
  remainingSeconds(results: number): number | undefined;
}

export function createFleet(run: string, nowMs: () => number = () => performance.now()): Fleet {
  const known = new Map<string, WorkerStatus>();
  let results: number[] = [];
  const startedMs = nowMs();
  return {
    count(name, seconds) {
      results.push(nowMs());
      const before = known.get(name) ?? { name, device: '', state: 'working' as const, items: 0, seconds: 0 };
      known.set(name, { ...before, items: before.items + 1, seconds: before.seconds + seconds });
    },
    see(records) {
      for (const [name, status] of known) known.set(name, { ...status, state: 'gone' });
      for (const { name, device, state, run: works, refusals } of records) {
        const refusal = refusals.find((each) => each.run === run)?.reason;
        // Workers that are busy for others, or have not yet looked, are none of this run.
        if (works !== run && refusal === undefined && !known.has(name)) continue;
        const before = known.get(name) ?? { items: 0, seconds: 0 };
        const { items, seconds } = before;
        const now = works === run ? state : refusal === undefined ? 'gone' : 'refuses';
        known.set(name, { name, device, state: now, ...(now === 'refuses' && { refusal }), items, seconds });
      }
    },
    workers: () => [...known.values()],
    remainingSeconds(more) {
      const now = nowMs();
      results = results.filter((ms) => now - ms < RATE_MS);
      if (results.length === 0) return undefined;
      return (more * Math.min(RATE_MS, now - startedMs)) / 1000 / results.length;
    },
  };
}
