/** A queue's connection on real servers: what keeps it from being used is told in a sentence, and it outlives a restart of its server. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { explainConnection } from '../../lib/farm/backend.js';
import { connectQueue } from '../../lib/farm/queue.js';
import { findPackageRoot } from '../../lib/package-root.js';
import {
  freePort,
  hasPostgres,
  hasRedis,
  startPostgres,
  startRedis,
  type QueueServer,
} from '../support/queue-servers.js';
import { temporaryFolder } from '../support/temporary-folder.js';

/** Why an address cannot be used, in one sentence without its password. */
async function refusalOf(address: string): Promise<string> {
  const error = await connectQueue(address).then(
    async (connection) => {
      await connection.close();
      throw new Error(`${address} can be used`);
    },
    (reason: unknown) => reason as Error,
  );
  expect(error.constructor).toBe(Error);
  expect(error.message).not.toMatch(/hunter2|\n/);
  return error.message;
}

describe('an address', () => {
  it.each(['http://127.0.0.1:6379', 'localhost:6379', 'redis://', ''])(
    'such as "%s" is none of a queue',
    async (address) => {
      expect(await refusalOf(address)).toMatch(/is no address of a queue: write redis:\/\/HOST:PORT/);
    },
  );

  it('of another kind is not shown with its password', async () => {
    expect(await refusalOf('amqp://me:hunter2@host')).toContain('"amqp://..." is no address of a queue');
  });

  it.each([':hunter2@10.0.0.5:6379', 'redis:/:hunter2@10.0.0.5:6379', 'me:hunt@er/hunter2@10.0.0.5:6379'])(
    'whose beginning is wrong is not shown with its password: %s',
    async (address) => {
      expect(await refusalOf(address)).toContain('"…@10.0.0.5:6379" is no address of a queue');
    },
  );

  it.each([
    'redis://me:hunter2@host:port:6379',
    'redis://:hunter2%@host:6379',
    'postgres://me:hunter2%@host',
  ])('that cannot be read says how a password is written: %s', async (address) => {
    expect(await refusalOf(address)).toContain('in a password %40 for an @ and %25 for a %');
  });

  it.each(['redis', 'postgres'])('of %s where nothing listens, or of no host', async (scheme) => {
    const port = await freePort();
    expect(await refusalOf(`${scheme}://me:hunter2@127.0.0.1:${port}`)).toBe(
      `the queue at ${scheme}://…@127.0.0.1:${port} cannot be used: connection refused: no server listens there`,
    );
    expect(await refusalOf(`${scheme}://me:hunter2@no-such-host.invalid:${port}`)).toContain(
      'cannot be used: no such host, or no network',
    );
  });

  it.each(['redis', 'postgres'])('of %s whose server hangs up', async (scheme) => {
    const server = createServer((socket) => socket.once('data', () => socket.destroy()));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      expect(await refusalOf(`${scheme}://127.0.0.1:${port}`)).toContain('it closes the connection');
    } finally {
      server.close();
    }
  });
});

it('a server that has no TLS is told apart where it can be', () => {
  expect(explainConnection('EPROTO', 'wrong version number', true)).toBe(
    'it does not speak TLS: write redis:// in place of rediss://',
  );
  expect(explainConnection('ETIMEDOUT', 'connect ETIMEDOUT', true)).toContain('perhaps because it does not');
  expect(explainConnection('ETIMEDOUT', 'connect ETIMEDOUT', false)).toBe('it does not answer');
});

/** Node.js without a package. */
const WITHOUT = `
import { register } from 'node:module';
const hooks = \`export const resolve = (name, context, next) => {
  if (name !== '\${process.argv[1]}') return next(name, context);
  throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
}\`;
register('data:text/javascript,' + encodeURIComponent(hooks));
const { connectQueue } = await import(process.argv[2]);
await connectQueue(process.argv[3]).catch(({ message }) => console.log(message));
`;

it.each([
  ['bullmq', 'redis', 'bullmq@6 ioredis@5'],
  ['ioredis', 'redis', 'bullmq@6 ioredis@5'],
  ['bullmq', 'postgres', 'bullmq@6 pg@8'],
  ['pg', 'postgres', 'bullmq@6 pg@8'],
])('without the package %s a queue on %s names the command that installs it', (name, scheme, packages) => {
  const args = [name, queueModule(), `${scheme}://me:hunter2@127.0.0.1:1`];
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', WITHOUT, ...args], {
    encoding: 'utf8',
  });
  expect(stdout, stderr).toBe(`workers need packages that are not installed: npm install ${packages}\n`);
});

const queueModule = () => join(findPackageRoot(), 'dist/lib/farm/queue.js');

const CONNECTS = `
const { connectQueue } = await import(process.argv[1]);
const connection = await connectQueue(process.argv[2]);
console.log(connection.address);
await connection.close();
`;

/** What makes a certificate. */
function hasOpenssl(): boolean {
  if (spawnSync('openssl', ['version']).status === 0) return true;
  console.warn('Skipped: openssl is not installed, and the test of Redis with TLS needs it.');
  return false;
}

const PROCESS = `
const { connectQueue } = await import(process.argv[1]);
async function open() {
  const connection = await connectQueue(process.argv[2]);
  const worker = connection.worker('closing', async () => undefined, {});
  const queue = connection.queue('closing');
  connection.events('closing');
  await Promise.all([worker.waitUntilReady(), queue.waitUntilReady()]);
  return connection;
}
// Closed in the middle of what its parts begin with.
for (let ms = 0; ms < 20; ms += 2) {
  const connection = await open();
  await new Promise((resolve) => setTimeout(resolve, ms));
  await connection.close();
}
const connection = await open();
console.log('ready');
await new Promise((resolve) => process.stdin.once('data', resolve));
process.stdin.destroy();
await connection.close();
console.log('closed');
`;

/** What both kinds of servers have in common. */
function behaves(start: () => Promise<QueueServer>): void {
  let server: QueueServer;
  beforeAll(async () => {
    server = await start();
  });

  it('keeps a job over a crash of the server, and the worker comes back by itself', async () => {
    const connection = await connectQueue(server.url);
    try {
      const queue = connection.queue('restart');
      const events = connection.events('restart');
      await events.waitUntilReady();
      const job = await queue.add('item', { number: 20 }, { jobId: 'first' });
      const worker = connection.worker(
        'restart',
        (each) => Promise.resolve((each.data as { number: number }).number + 1),
        { autorun: false },
      );
      await worker.waitUntilReady();
      await server.kill();
      await server.start();
      const done = new Promise<unknown>((resolve) => {
        worker.on('completed', (_, result) => {
          resolve(result);
        });
      });
      void worker.run();
      expect(await done).toBe(21);
      expect(await job.getState()).toBe('completed');
    } finally {
      await connection.close();
    }
  });

  it('knows an error that says the server is away', async () => {
    const connection = await connectQueue(server.url);
    expect(connection.isAway(new TypeError('x is not a function'))).toBe(false);
    const lost = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    expect(connection.isAway(lost)).toBe(true);
    await connection.close();
  });

  it.each(['there', 'away'])('closes while the server is %s, and its process ends', async (place) => {
    const args = ['--input-type=module', '-e', PROCESS, queueModule(), server.url];
    const child = spawn(process.execPath, args);
    onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = once(child, 'close');
    try {
      await Promise.race([once(child.stdout, 'data'), ended]);
      if (place === 'away') await server.kill();
      child.stdin.write('close\n');
      await ended;
      expect(said).toBe('ready\nclosed\n');
      expect(child.exitCode).toBe(0);
    } finally {
      if (place === 'away') await server.start();
    }
  });

  it('can be opened by several at once', async () => {
    const connections = await Promise.all(Array.from({ length: 5 }, () => connectQueue(server.url)));
    await Promise.all(connections.map((connection) => connection.close()));
  });
}

describe.skipIf(!hasRedis())('Redis', () => {
  describe('as a queue', () => behaves(() => startRedis({ keeps: true })));

  it('that asks for a password says so, and whether it is wrong', async () => {
    const { port } = await startRedis({ config: ['--requirepass', 'correct'] });
    expect(await refusalOf(`redis://127.0.0.1:${port}`)).toBe(
      `the queue at redis://127.0.0.1:${port} cannot be used: it asks for a password: write redis://:PASSWORD@HOST:PORT`,
    );
    for (const user of ['', 'somebody'])
      expect(await refusalOf(`redis://${user}:hunter2@127.0.0.1:${port}`)).toBe(
        `the queue at redis://…@127.0.0.1:${port} cannot be used: the password, or the user, is wrong`,
      );
    const connection = await connectQueue(`redis://:correct@127.0.0.1:${port}`);
    expect(connection.address).toBe(`redis://…@127.0.0.1:${port}`);
    await connection.close();
  });

  it('that has not the database of the address is not used', async () => {
    const { url } = await startRedis();
    const connection = await connectQueue(`${url}/15`);
    await connection.close();
    expect(await refusalOf(`${url}/16`)).toContain('cannot be used: it has no database of that number');
    expect(await refusalOf(`${url}/runs`)).toContain('what follows the port is the number of a database');
  });

  it.skipIf(!hasOpenssl())('with TLS, whose certificate must be trusted', async () => {
    const folder = temporaryFolder();
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=localhost'],
    ]);
    expect(made.status, made.stderr.toString()).toBe(0);
    const port = await freePort();
    await startRedis({
      config: [
        ...['--tls-port', `${port}`, '--tls-cert-file', certificate, '--tls-key-file', key],
        ...['--tls-ca-cert-file', certificate, '--tls-auth-clients', 'no'],
      ],
    });
    expect(await refusalOf(`redis://me:hunter2@127.0.0.1:${port}`)).toContain(
      'perhaps because it expects TLS',
    );
    const address = `rediss://localhost:${port}`;
    expect(await refusalOf(address)).toMatch(
      /certificate is not trusted .*; NODE_EXTRA_CA_CERTS names a file/,
    );
    const connect = (to: string) =>
      spawnSync(process.execPath, ['--input-type=module', '-e', CONNECTS, queueModule(), to], {
        encoding: 'utf8',
        env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate },
      });
    const { stdout, stderr } = connect(address);
    expect(stdout, stderr).toBe(`${address}\n`);
    expect(connect(`rediss://127.0.0.1:${port}`).stderr).toContain(
      'cannot be used: its certificate is of another host: name it as the certificate does (',
    );
  });

  it('as a replica, or that throws data away', async () => {
    const primary = await startRedis();
    const replica = await startRedis({ config: ['--maxmemory-policy', 'allkeys-lru'] });
    const notices: string[] = [];
    const connection = await connectQueue(replica.url, { onNotice: (notice) => notices.push(notice) });
    await connection.close();
    expect(notices).toEqual([expect.stringContaining('maxmemory-policy allkeys-lru): set it to noeviction')]);

    const { Redis } = await import('ioredis');
    const client = new Redis(replica.url);
    await client.replicaof('127.0.0.1', primary.port);
    client.disconnect();
    expect(await refusalOf(replica.url)).toContain('it is a replica, which cannot be written to');
  });
});

describe.skipIf(!hasPostgres())('PostgreSQL', () => {
  describe('as a queue', () => behaves(startPostgres));

  it('that asks for a password says so, and that it is wrong', async () => {
    const { port } = await startPostgres({ password: 'correct' });
    for (const user of ['postgres', 'postgres:hunter2', 'nobody:hunter2'])
      expect(await refusalOf(`postgres://${user}@127.0.0.1:${port}/postgres`)).toContain(
        'cannot be used: the user or the password is wrong',
      );
    const connection = await connectQueue(`postgres://postgres:correct@127.0.0.1:${port}/postgres`);
    expect(connection.address).toBe(`postgres://…@127.0.0.1:${port}/postgres`);
    await connection.close();
  });

  it('is not used by a machine whose clock is another', async () => {
    const { url } = await startPostgres();
    const now = Date.now.bind(Date);
    const clock = vi.spyOn(Date, 'now');
    onTestFinished(() => clock.mockRestore());
    for (const [seconds, how] of [
      [-3600, 'behind'],
      [3600, 'ahead of'],
    ] as const) {
      clock.mockImplementation(() => now() + 1000 * seconds);
      expect(await refusalOf(url)).toMatch(
        new RegExp(`cannot be used: this machine's clock is (3599|3600) seconds ${how} the server's`),
      );
    }
  });

  it('whose address has options of its own', async () => {
    const { url } = await startPostgres();
    const connection = await connectQueue(`${url}?options=-c%20statement_timeout%3D5000`);
    onTestFinished(() => connection.close());
    expect(await connection.queue('options').getJobs(['delayed'])).toEqual([]);
  });

  it('that lets nobody in without TLS', async () => {
    const { url } = await startPostgres();
    const { default: pg } = await import('pg');
    const client = new pg.Client(url);
    await client.connect();
    const { rows } = await client.query<{ hba_file: string }>('SHOW hba_file');
    await client.query(`COPY (SELECT 'hostssl all all all trust') TO '${rows[0].hba_file}'`);
    await client.query('SELECT pg_reload_conf()');
    await client.end();
    await expect
      .poll(() => refusalOf(url).catch(String))
      .toMatch(
        /cannot be used: it does not let this user in from here without TLS: write \?sslmode=verify-full .*no encryption\)$/,
      );
  });

  it('without the user or the database', async () => {
    const { port } = await startPostgres();
    expect(await refusalOf(`postgres://nobody:hunter2@127.0.0.1:${port}/postgres`)).toContain(
      'the user or the password is wrong',
    );
    expect(await refusalOf(`postgres://postgres@127.0.0.1:${port}/nowhere`)).toContain(
      'create it with createdb',
    );
  });
});
