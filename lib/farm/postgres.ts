import type { Client, Pool, PoolClient } from 'pg';
import { withoutPassword } from '../checkpoint/environment.js';
import { explainConnection, loadPackage, PATIENCE_MS, type Backend } from './backend.js';
import { patience } from './timing.js';

/** For what a process asks, and one more that listens for each part that waits: a server has a hundred connections, unless told otherwise. */
const CONNECTIONS = 4;

/**
 * How far a machine's clock may be from the server's. BullMQ tells by the clocks of workers whether one has lost its item, and a lock that is
 * renewed has half of its 30 seconds left.
 */
const CLOCK_SECONDS = 5;

/** Codes of SQL (classes 08, 53, 57) and of the system for a server that is away, full, or ending. */
const AWAY = /^(08|53|57P)|^E(?!RR_)[A-Z]/;

/**
 * A queue's backend on PostgreSQL, 13 or newer. Makes its tables where they are missing, in the schema `bullmq`.
 *
 * @throws Error in one sentence when it cannot be used
 */
export async function connectPostgres(address: string, bullmq: typeof import('bullmq')): Promise<Backend> {
  const { default: pg } = await loadPackage(() => import('pg'), false);
  const shown = withoutPassword(address);
  const pool = new pg.Pool({
    connectionString: withSchema(address, bullmq.DEFAULT_SCHEMA),
    max: CONNECTIONS,
    connectionTimeoutMillis: PATIENCE_MS,
    keepAlive: true,
  });
  pool.on('error', () => undefined);
  // The pool listens to those that nobody uses; a server that ends while one is in use would end this process.
  const clients = new Set<PoolClient>();
  let isClosed = false;
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
    clients.add(client);
    if (isClosed) void end(client);
  });
  pool.on('remove', (client) => clients.delete(client));
  try {
    const client = await pool.connect();
    try {
      // Under a lock of the database: many may come at once.
      await bullmq.runMigrations(client);
      await compareClocks(client);
    } finally {
      client.release();
    }
  } catch (error) {
    await pool.end();
    throw new Error(`the queue at ${shown} cannot be used: ${explain(error)}`, { cause: error });
  }
  const factory = bullmq.createPostgresBackend;
  const connection = pool as never;
  return {
    address: shown,
    queue: (name, options) => new bullmq.Queue(name, { ...options, connection }, factory as never),
    events: (name) => new bullmq.QueueEvents(name, { connection }, factory as never),
    worker: (name, processor, options) =>
      new bullmq.Worker(name, processor, { ...options, connection }, factory as never),
    isAway: (error) =>
      AWAY.test((error as NodeJS.ErrnoException).code ?? '') ||
      /terminated|timeout|ended/i.test((error as Error).message),
    nowMs: () => timeOf(pool),
    close: async (parts) => {
      await Promise.race([parts, patience(PATIENCE_MS / 2)]);
      isClosed = true;
      pool.end().catch(() => undefined);
      // What listens may take one while it is being closed, and would never give it back.
      await Promise.race([Promise.all([...clients].map(end)), patience(PATIENCE_MS / 2)]);
    },
  };
}

async function timeOf(server: Pool | PoolClient): Promise<number> {
  const { rows } = await server.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  return rows[0].now.getTime();
}

/** @throws Error in one sentence when this machine's clock is another than the server's */
async function compareClocks(client: PoolClient): Promise<void> {
  const askedMs = Date.now();
  const serverMs = await timeOf(client);
  // As far as the time that the answer took leaves no doubt.
  const seconds = Math.floor(Math.max(askedMs - serverMs, serverMs - Date.now()) / 1000);
  if (seconds < CLOCK_SECONDS) return;
  throw new Error(
    `this machine's clock is ${seconds} seconds ${askedMs > serverMs ? 'ahead of' : 'behind'} the server's, so that workers would take items from each other that are being done: set the clocks of both (timedatectl set-ntp true)`,
  );
}

/** BullMQ's functions are called without their schema. Options of a person's own, as `?options=-c...`, stay beside it. */
function withSchema(address: string, schema: string): string {
  const url = new URL(address);
  const options = [url.searchParams.get('options'), `-c search_path=${schema}`].filter(Boolean).join(' ');
  url.searchParams.set('options', options);
  return url.href;
}

const end = (client: PoolClient): Promise<void> => (client as unknown as Client).end().catch(() => undefined);

function explain(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (/pg_hba\.conf/.test(message))
    return /no encryption/.test(message)
      ? `it does not let this user in from here without TLS: write ?sslmode=verify-full at the end of the address, or let them in there (${message})`
      : `it does not let this user in from here (${message})`;
  if (code === '28P01' || code === '28000' || /password must be a string/.test(message))
    return `the user or the password is wrong (${message})`;
  if (code === '3D000') return `${message}: create it with createdb`;
  if (code === '42501') return `its user may not make tables (${message})`;
  return explainConnection(code, message, false);
}
