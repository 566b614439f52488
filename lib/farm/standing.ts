/** How a batch and its workers stand, for a person. */
import type { FleetStatus } from '../run/events.js';
import type { Batch } from './batch.js';
import type { Fleet } from './fleet.js';
import type { Counts } from './upkeep.js';

/** As the queue tells it. */
export function seenStanding(batch: Batch, fleet: Fleet, { waiting, running }: Counts): FleetStatus {
  const { durations, left, failedTries: failed } = batch;
  const { length: done } = durations;
  const total = done + batch.out.size + left;
  const remainingSeconds = fleet.remainingSeconds(total - done);
  return { workers: fleet.workers(), waiting, running, failed, done, total, remainingSeconds };
}

/** Where the queue tells nothing, of so many items. */
export function unseenStanding(batch: Batch, fleet: Fleet, done: number, total: number): FleetStatus {
  const { failedTries: failed } = batch;
  return { workers: fleet.workers(), waiting: total - done, running: 0, failed, done, total };
}

/** With what a person has to mend, if anything. */
export function withTrouble(status: FleetStatus, address: string, isAway: boolean): FleetStatus {
  if (isAway) return { ...status, trouble: `the queue at ${address} does not answer` };
  const { workers } = status;
  if (workers.some(({ state }) => state !== 'refuses' && state !== 'gone')) return status;
  const refusing = workers.filter(({ state }) => state === 'refuses').length;
  const refused = refusing > 0 ? `; ${refusing} refused` : '';
  return {
    ...status,
    trouble: `no worker takes part${refused}: start one on any machine: npx speech-dpo worker ${address}`,
  };
}
