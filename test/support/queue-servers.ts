/** Real servers of queues, on free ports and in temporary folders, which end with the tests of the file that asked for them. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll } from 'vitest';

/** What ends with the file. Said here, since a hook that a test or another hook asks for is never called. */
const ends: (() => Promise<void>)[] = [];
afterAll(async () => {
  await Promise.all(ends.map((end) => end()));
});

export interface QueueServer {
  url: string;
  port: number;
  /** At once, as a crash. */
  kill(): Promise<void>;
  /** On the same port, with what it had on its disk. */
  start(): Promise<void>;
  /** Removes what is on its disk. */
  forget(): void;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Whether a program is installed; where it is not, a message says what is skipped. With SPEECH_DPO_REQUIRE_QUEUE=1 its absence is an error.
 */
function isInstalled(name: string, isThere: boolean): boolean {
  if (isThere) return true;
  if (process.env.SPEECH_DPO_REQUIRE_QUEUE === '1')
    throw new Error(`SPEECH_DPO_REQUIRE_QUEUE is set, but ${name} is not installed`);
  console.warn(`Skipped: ${name} is not installed (apt-get install ${name}), and these tests need it.`);
  return false;
}

export const hasRedis = (): boolean =>
  isInstalled('redis-server', spawnSync('redis-server', ['--version']).status === 0);

/** @param keeps whether what it holds survives a crash (append-only file) */
export async function startRedis({ keeps = false, config = [] as string[] } = {}): Promise<QueueServer> {
  const folder = mkdtempSync(join(tmpdir(), 'speech-dpo-redis-'));
  const port = await freePort();
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const durable = ['--appendonly', keeps ? 'yes' : 'no', '--appendfsync', 'always'];
  return serve(`redis://127.0.0.1:${port}`, port, folder, () =>
    spawn('redis-server', [...args, ...durable, ...config], { stdio: 'ignore' }),
  );
}

const POSTGRES = '/usr/lib/postgresql';

/** Debian keeps the server's programs out of the path, one folder a version. */
function postgresFolder(): string | undefined {
  const found = spawnSync('pg_ctl', ['--version']).status === 0 ? '' : undefined;
  try {
    const folders = readdirSync(POSTGRES)
      .toSorted((a, b) => Number(b) - Number(a))
      .map((version) => join(POSTGRES, version, 'bin'));
    // Where only its client is installed there is no server.
    return folders.find((folder) => existsSync(join(folder, 'initdb'))) ?? found;
  } catch {
    return found;
  }
}

export const hasPostgres = (): boolean => isInstalled('postgresql', postgresFolder() !== undefined);

/**
 * PostgreSQL runs for no root user: there it runs as the user that its package makes.
 *
 * @param password of its user `postgres`; without one it asks for none
 */
export async function startPostgres({ password = '' } = {}): Promise<QueueServer> {
  const folder = mkdtempSync(join(tmpdir(), 'speech-dpo-postgres-'));
  const port = await freePort();
  const bin = postgresFolder()!;
  const asUser =
    userInfo().uid === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'] : [];
  const data = join(folder, 'data');
  const run = (program: string, args: string[]) => {
    const [command, ...rest] = [...asUser, join(bin, program), ...args];
    return { command, rest };
  };
  if (asUser.length > 0) spawnSync('chown', ['postgres', folder]);
  else chmodSync(folder, 0o700);
  const secret = join(folder, 'password');
  if (password) writeFileSync(secret, password);
  const access = password ? ['-A', 'scram-sha-256', '--pwfile', secret] : ['-A', 'trust'];
  const init = run('initdb', ['-D', data, '-U', 'postgres', '--no-sync', ...access]);
  const made = spawnSync(init.command, init.rest, { encoding: 'utf8', cwd: folder });
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const server = run('postgres', ['-D', data, '-p', `${port}`, '-h', '127.0.0.1', '-k', folder, '-F']);
  return serve(`postgres://postgres@127.0.0.1:${port}/postgres`, port, folder, () =>
    spawn(server.command, server.rest, { stdio: 'ignore', cwd: folder }),
  );
}

async function serve(
  url: string,
  port: number,
  folder: string,
  launch: () => ChildProcess,
): Promise<QueueServer> {
  let child: ChildProcess;
  const server: QueueServer = {
    url,
    port,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    },
    forget() {
      for (const entry of readdirSync(folder)) rmSync(join(folder, entry), { recursive: true });
    },
    async start() {
      child = launch();
      for (let tries = 0; !(await answers(url)); tries++) {
        if (tries > 300) throw new Error(`${url} did not start`);
        await sleep(100);
        // PostgreSQL's own processes may outlive it for a moment, and it does not start beside them.
        if (child.exitCode !== null) child = launch();
      }
    },
  };
  ends.push(async () => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await server.start();
  return server;
}

async function answers(url: string): Promise<boolean> {
  const { connectQueue } = await import('../../lib/farm/queue.js');
  try {
    const connection = await connectQueue(url);
    await connection.close();
    return true;
  } catch (error) {
    // One that wants a password is there.
    return /password/.test((error as Error).message);
  }
}
