/** Work that is offered at a queue: announced to workers, its files served, its items handed out. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { relative, resolve } from 'node:path';
import { openParts, releaseAll } from '../release.js';
import { openDispatcher, type Dispatcher } from './dispatch.js';
import { parseServeAt } from './files/serve-at.js';
import { serveFiles, type FileServer } from './files/server.js';
import { announce, type PresentRun } from './presence.js';
import type { QueueConnection } from './queue.js';
import type { Offer, Terms } from './terms.js';

export interface OfferedWork extends AsyncDisposable {
  dispatcher: Dispatcher;
  server: FileServer;
  /** Says how many items wait, are in hand, and are done. */
  tell(counts: NonNullable<PresentRun['counts']>): void;
  /** Results that are in the queue are of no more use when it is closed. */
  setOver(): void;
}

/**
 * @param work.place what is written or read, a folder or a file: by it work is known again when it is resumed
 * @param work.serveAt "HOST:PORT"; default: a free port that only this machine reaches
 */
export function offerWork(
  connection: QueueConnection,
  work: { terms: Terms; place: string; serveAt?: string; signal?: AbortSignal },
): Promise<OfferedWork> {
  const { terms, serveAt, signal } = work;
  return openParts(async (opened) => {
    const path = resolve(work.place);
    const host = hostname();
    const id = createHash('sha256').update(`${host}\n${path}`).digest('hex').slice(0, 16);
    let isOver = false;
    const server = await serveFiles(serveAt === undefined ? {} : parseServeAt(serveAt));
    opened.push(() => server.close());
    const dispatcher = await openDispatcher(connection, { id, mayDiffer: terms.computes === null, signal });
    opened.push(() => dispatcher.close(isOver));
    const files = { address: server.address, token: server.token };
    const title = `${relative(process.cwd(), path)} on ${host}`;
    const record: PresentRun = { kind: 'run', id, title, terms: { terms, files } satisfies Offer };
    const announcement = await announce(connection, 'runs', id, record);
    opened.push(() => announcement.leave());
    return {
      dispatcher,
      server,
      tell: ({ waiting, running, done, total }) => {
        announcement.update({ ...record, counts: { waiting, running, done, total } });
      },
      setOver: () => void (isOver = true),
      [Symbol.asyncDispose]: () => releaseAll(opened),
    };
  });
}
