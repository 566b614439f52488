/** How a worker says that it is there: under a name of its own, by which its results are counted. */
import { hostname } from 'node:os';
import type { OnNotice } from '../notice.js';
import type { Ask } from './ask.js';
import type { Executor } from './executor.js';
import { announce, findPresent, type WorkerRecord } from './presence.js';
import type { QueueConnection } from './queue.js';

export interface Introduced {
  readonly name: string;
  /** Says what has changed. */
  tell(changes: Partial<WorkerRecord>): void;
  /** Says that an item is done, which took so long. */
  tellDone(seconds: number): void;
  /** Takes the worker out of the directory. */
  leave(): Promise<void>;
}

/**
 * Puts a worker into the queue's directory; undefined where it is to end before.
 *
 * @param options.name default "HOST-PID", which follows the name that another worker has
 */
export async function introduce(
  connection: QueueConnection,
  ask: Ask,
  { device, traits }: Pick<Executor, 'device' | 'traits'>,
  options: { name?: string; onNotice?: OnNotice },
): Promise<Introduced | undefined> {
  const host = hostname();
  const own = `${host}-${process.pid}`;
  const { name: given = own, onNotice } = options;
  const isTaken = given !== own && (await ask(() => findPresent(connection, 'workers', given))) !== undefined;
  const name = isTaken ? `${given}-${own}` : given;
  if (name !== given) onNotice?.(`another worker is called ${given}: this one is called ${name}`);
  const record: WorkerRecord = {
    kind: 'worker',
    name,
    host,
    pid: process.pid,
    device,
    computes: traits.computes,
    version: traits.versions['speech-dpo'],
    state: 'idle',
    refusals: [],
    items: 0,
    seconds: 0,
    startedAt: new Date().toISOString(),
  };
  const announcement = await ask(() => announce(connection, 'workers', name, record));
  if (!announcement) return undefined;
  const tell = (changes: Partial<WorkerRecord>) => announcement.update(Object.assign(record, changes));
  return {
    name,
    tell,
    tellDone: (seconds) => tell({ items: record.items + 1, seconds: record.seconds + seconds }),
    leave: () => announcement.leave(),
  };
}
