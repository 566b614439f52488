/** Who is there, on real servers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { announce, findPresent, listPresent, type WorkerRecord } from '../../lib/farm/presence.js';
import { connectQueue } from '../../lib/farm/queue.js';
import {
  hasPostgres,
  hasRedis,
  startPostgres,
  startRedis,
  type QueueServer,
} from '../support/queue-servers.js';

const worker = (name: string): WorkerRecord => ({
  ...{ kind: 'worker', name, host: 'there', pid: 7, version: '0.1.0', device: 'the CPU, 1 thread' },
  ...{
    computes: 'cpu',
    state: 'idle',
    refusals: [],
    items: 0,
    seconds: 0,
    startedAt: '2024-06-01T12:00:00Z',
  },
});

afterEach(() => {
  vi.restoreAllMocks();
});

function behaves(start: () => Promise<QueueServer>): void {
  let server: QueueServer;
  beforeAll(async () => {
    server = await start();
  });

  it('tells of those who are there, what they said last, and not of those who left', async () => {
    const connection = await connectQueue(server.url);
    const others = await connectQueue(server.url);
    try {
      const first = await announce(connection, 'workers', 'host:1', worker('host:1'));
      const second = await announce(connection, 'workers', '2', worker('2'));
      first.update({ ...worker('host:1'), items: 3 });
      await vi.waitFor(
        async () => {
          const present = await listPresent(others, 'workers');
          expect(present.map(({ name, items }) => [name, items])).toEqual([
            ['host:1', 3],
            ['2', 0],
          ]);
        },
        { timeout: 20_000 },
      );
      expect(await findPresent(others, 'workers', 'host:1')).toMatchObject({ name: 'host:1', items: 3 });
      expect(await listPresent(others, 'runs')).toEqual([]);
      await first.leave();
      expect(await findPresent(others, 'workers', 'host:1')).toBeUndefined();
      expect(await listPresent(others, 'workers')).toMatchObject([{ name: '2' }]);
      await second.leave();
      expect(await listPresent(others, 'workers')).toEqual([]);
    } finally {
      await connection.close();
      await others.close();
    }
  });

  it('holds who is silent for half a minute for gone, and forgets it after a day', async () => {
    const connection = await connectQueue(server.url);
    try {
      const said = Date.now();
      const announcement = await announce(connection, 'workers', 'silent', worker('silent'));
      // From here on it says nothing.
      const clock = vi.spyOn(connection, 'nowMs');
      const queue = connection.queue('speech-dpo-workers');
      const job = await queue.getJob('at-silent');
      expect(job!.data).toMatchObject({ record: { name: 'silent' } });
      const seenAtMs = (job!.data as { seenAtMs: number }).seenAtMs;
      expect(seenAtMs).toBeGreaterThanOrEqual(said);
      const presentAfter = async (ms: number) => {
        clock.mockResolvedValue(seenAtMs + ms);
        return [await listPresent(connection, 'workers'), await findPresent(connection, 'workers', 'silent')];
      };
      expect(await presentAfter(-1000), 'by a server that was set back').toMatchObject([
        [{ seenSecondsAgo: 0 }],
        { name: 'silent' },
      ]);
      expect(await presentAfter(29_000)).toMatchObject([
        [{ name: 'silent', seenSecondsAgo: 29 }],
        { name: 'silent' },
      ]);
      expect(await presentAfter(31_000)).toEqual([[], undefined]);
      expect(await queue.getJob('at-silent')).toBeDefined();
      expect(await presentAfter(25 * 3_600_000)).toEqual([[], undefined]);
      expect(await queue.getJob('at-silent')).toBeUndefined();
      clock.mockRestore();
      await announcement.leave();
    } finally {
      await connection.close();
    }
  });

  it.each([-1, 1])('tells of who is there by a clock that is %d hours off', async (hours) => {
    const connection = await connectQueue(server.url);
    try {
      const [now, offMs] = [Date.now.bind(Date), hours * 3_600_000];
      const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + offMs);
      const announcement = await announce(connection, 'workers', 'off', worker('off'));
      clock.mockRestore();
      const [{ seenSecondsAgo }] = await listPresent(connection, 'workers');
      expect(seenSecondsAgo).toBeLessThan(30);
      expect(await findPresent(connection, 'workers', 'off')).toMatchObject({ name: 'off' });
      await announcement.leave();
    } finally {
      await connection.close();
    }
  });

  it('says again every 5 seconds that it is there, until it leaves', async () => {
    const connection = await connectQueue(server.url);
    onTestFinished(() => connection.close());
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const announcement = await announce(connection, 'workers', 'a:b:c', worker('a:b:c'));
    const seenAtMs = async () => {
      const job = await connection.queue('speech-dpo-workers').getJob('at-a-b-c');
      return (job!.data as { seenAtMs: number }).seenAtMs;
    };
    const first = await seenAtMs();
    vi.advanceTimersByTime(5000);
    await vi.waitFor(async () => expect(await seenAtMs()).toBeGreaterThan(first), { timeout: 20_000 });
    await announcement.leave();
    vi.advanceTimersByTime(5000);
    await sleep(300);
    expect(await findPresent(connection, 'workers', 'a:b:c')).toBeUndefined();
  });

  it('says what is true last, once, and nothing after it has left', async () => {
    const connection = await connectQueue(server.url);
    onTestFinished(() => connection.close());
    const announcement = await announce(connection, 'workers', 'busy', worker('busy'));
    const nowMs = connection.nowMs.bind(connection);
    const says = vi.spyOn(connection, 'nowMs').mockImplementationOnce(async () => {
      const ms = await nowMs();
      // While it is being said that there is one.
      setImmediate(() => {
        announcement.update({ ...worker('busy'), items: 3 });
      });
      return ms;
    });
    announcement.update({ ...worker('busy'), items: 1 });
    await vi.waitFor(
      async () => expect(await findPresent(connection, 'workers', 'busy')).toMatchObject({ items: 3 }),
      { timeout: 4000 },
    );
    says.mockClear();
    await sleep(300);
    // One of every 5 seconds may come.
    expect(says.mock.calls.length).toBeLessThan(2);
    for (const items of [4, 5]) announcement.update({ ...worker('busy'), items });
    await announcement.leave();
    await sleep(300);
    expect(await findPresent(connection, 'workers', 'busy')).toBeUndefined();
  });

  it('does not show what another version says otherwise', async () => {
    const connection = await connectQueue(server.url);
    try {
      const record = { ...worker('other'), mood: 'good' } as WorkerRecord;
      const announcement = await announce(connection, 'workers', 'other', record);
      expect(await listPresent(connection, 'workers')).toEqual([]);
      await announcement.leave();
    } finally {
      await connection.close();
    }
  });

  it('makes a record anew that the server lost', async () => {
    const connection = await connectQueue(server.url);
    try {
      const announcement = await announce(connection, 'workers', 'lost', worker('lost'));
      const queue = connection.queue('speech-dpo-workers');
      await queue.obliterate({ force: true });
      expect(await listPresent(connection, 'workers')).toEqual([]);
      announcement.update({ ...worker('lost'), items: 1 });
      await vi.waitFor(
        async () => {
          expect(await listPresent(connection, 'workers')).toMatchObject([{ name: 'lost', items: 1 }]);
        },
        { timeout: 20_000 },
      );
      await announcement.leave();
    } finally {
      await connection.close();
    }
  });
}

describe.skipIf(!hasRedis())('presence on Redis', () => {
  behaves(startRedis);

  it('survives a server that comes back empty', async () => {
    const server = await startRedis();
    const connection = await connectQueue(server.url);
    try {
      const announcement = await announce(connection, 'workers', 'stays', worker('stays'));
      await server.kill();
      announcement.update({ ...worker('stays'), items: 2 });
      await server.start();
      await vi.waitFor(
        async () => {
          expect(await listPresent(connection, 'workers')).toMatchObject([{ name: 'stays', items: 2 }]);
        },
        { timeout: 30_000 },
      );
      await announcement.leave();
    } finally {
      await connection.close();
    }
  });
});
describe.skipIf(!hasPostgres())('presence on PostgreSQL', () => behaves(startPostgres));
