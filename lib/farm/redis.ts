import type { Redis, RedisOptions } from 'ioredis';
import { withoutPassword } from '../checkpoint/environment.js';
import type { OnNotice } from '../notice.js';
import { explainConnection, loadPackage, PATIENCE_MS, type Backend } from './backend.js';
import { patience } from './timing.js';

/** What BullMQ asks for. */
const OLDEST = [6, 2] as const;
/** Between two tries to reach a server that went away, at most. */
const LONGEST_PAUSE_MS = 2000;

/** Of a server that is starting, ending, or being replaced; of the system; and of ioredis, whose connection is lost. */
const AWAY =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b|^(Connection is closed|Command (timed out|aborted)|Stream isn't writeable)|\bE(CONN\w+|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|NOTFOUND|AI_AGAIN)\b/;

/**
 * A queue's backend on Redis, or Valkey.
 *
 * @throws Error in one sentence when it cannot be used
 */
export async function connectRedis(
  address: string,
  bullmq: typeof import('bullmq'),
  onNotice?: OnNotice,
): Promise<Backend> {
  const { Redis } = await loadPackage(() => import('ioredis'), true);
  const shown = withoutPassword(address);
  await check(Redis, address, shown, onNotice);
  const connection = new Redis(address, {
    // A command waits for a server that is away.
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(100 * times, LONGEST_PAUSE_MS),
  });
  connection.on('error', () => undefined);
  // BullMQ has connections of its own beside it, which would try for ever to reach a server that is away when they are closed.
  const connections: Redis[] = [connection];
  const duplicate = connection.duplicate.bind(connection);
  connection.duplicate = (override) => {
    const another = duplicate(override);
    connections.push(another);
    return another;
  };
  const base = { connection, skipVersionCheck: true };
  return {
    address: shown,
    queue: (name, options) => new bullmq.Queue(name, { ...options, ...base }),
    events: (name) => new bullmq.QueueEvents(name, base),
    worker: (name, processor, options) => new bullmq.Worker(name, processor, { ...options, ...base }),
    isAway: (error) => {
      const { code = '', message } = error as NodeJS.ErrnoException;
      return AWAY.test(message) || AWAY.test(code);
    },
    nowMs: async () => {
      const [seconds, microseconds] = await connection.time();
      return 1000 * Number(seconds) + Number(microseconds) / 1000;
    },
    close: async (parts) => {
      const isLost = new Promise((resolve) => {
        if (connection.status === 'ready') connection.once('close', resolve);
        else resolve(undefined);
      });
      await Promise.race([parts, isLost, patience(PATIENCE_MS)]);
      for (const each of connections) {
        each.disconnect();
        // BullMQ tries again for ever what fails for a lost connection, and gives up at any other error.
        each.sendCommand = () => Promise.reject(new Error('the queue was left'));
      }
    },
  };
}

/** Asks a server once, without trying again. */
async function check(
  Client: typeof Redis,
  address: string,
  shown: string,
  onNotice?: OnNotice,
): Promise<void> {
  const options: RedisOptions = {
    lazyConnect: true,
    connectTimeout: PATIENCE_MS,
    commandTimeout: PATIENCE_MS,
    retryStrategy: () => null,
    enableOfflineQueue: false,
  };
  // The client would ask for the database NaN, and end the process where that is refused.
  if (!/^\/?\d*$/.test(new URL(address).pathname))
    throw new Error(
      `the queue at ${shown} cannot be used: what follows the port is the number of a database, as in redis://HOST:PORT/1`,
    );
  const client = new Client(address, options);
  let reason: unknown;
  client.on('error', (error) => (reason ??= error));
  try {
    await client.connect();
    const info = await client.info();
    // Where its database is refused, the client goes on with database 0.
    if (reason) throw reason as Error;
    const valueOf = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
    const version = valueOf('redis_version') ?? '0';
    const [major, minor] = version.split('.').map(Number);
    if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
      throw new Error(`it is Redis ${version}, and BullMQ needs ${OLDEST.join('.')} or newer`);
    if (valueOf('role') === 'slave')
      throw new Error('it is a replica, which cannot be written to: name its primary');
    const policy = valueOf('maxmemory_policy');
    if (policy !== undefined && policy !== 'noeviction')
      onNotice?.(
        `Redis at ${shown} throws data away when its memory is full (maxmemory-policy ${policy}): set it to noeviction, or items may be lost and done again.`,
      );
  } catch (error) {
    throw new Error(`the queue at ${shown} cannot be used: ${explain(reason ?? error, address)}`, {
      cause: error,
    });
  } finally {
    client.disconnect();
  }
}

function explain(error: unknown, address: string): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (/^(WRONGPASS|ERR invalid password)/.test(message)) return 'the password, or the user, is wrong';
  if (/^(NOAUTH|ERR AUTH)/.test(message) || /NOAUTH/.test(message))
    return 'it asks for a password: write redis://:PASSWORD@HOST:PORT';
  if (/DB index is out of range/.test(message)) return `it has no database of that number (${message})`;
  if (/^NOPERM/.test(message)) return `its user may not do what a queue needs (${message})`;
  return explainConnection(code, message, /^rediss:/i.test(address));
}
