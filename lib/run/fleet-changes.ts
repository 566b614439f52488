/** What changes among the workers of a run that a person should know. */
import { onOneLine } from '../one-line.js';
import type { FleetStatus, WorkerStatus } from './events.js';

export interface FleetChanges {
  joined: WorkerStatus[];
  left: WorkerStatus[];
  /** Those whose refusal is new, or has another reason. */
  refused: WorkerStatus[];
  /** A trouble that is new. */
  trouble?: string;
  /** Whether a trouble is over. */
  isMended: boolean;
}

/** @param before undefined where nothing was known */
export function fleetChanges(before: FleetStatus | undefined, after: FleetStatus): FleetChanges {
  const known = new Map(before?.workers.map((worker) => [worker.name, worker]));
  const took = ({ name }: WorkerStatus) => takesPart(known.get(name));
  return {
    joined: after.workers.filter((worker) => takesPart(worker) && !took(worker)),
    left: after.workers.filter((worker) => worker.state === 'gone' && took(worker)),
    refused: after.workers.filter(
      ({ name, refusal }) => refusal !== undefined && refusal !== known.get(name)?.refusal,
    ),
    ...(after.trouble !== before?.trouble && { trouble: after.trouble }),
    isMended: before?.trouble !== undefined && after.trouble === undefined,
  };
}

/** Whether a worker does items, or is about to. */
export function takesPart(worker: WorkerStatus | undefined): boolean {
  return worker !== undefined && worker.state !== 'refuses' && worker.state !== 'gone';
}

export const describeJoined = ({ name, device }: WorkerStatus): string =>
  onOneLine(`worker ${name} takes part, on ${device}`);

export const describeLeft = ({ name, items }: WorkerStatus): string =>
  onOneLine(`worker ${name} is gone after ${items} ${items === 1 ? 'item' : 'items'}`);

export const describeRefused = ({ name, refusal }: WorkerStatus): string =>
  onOneLine(`worker ${name} takes no part: ${refusal}`);
