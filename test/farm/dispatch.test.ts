/** The trainer's side of the queue on real servers, with workers in this process that answer at once, late, wrongly or never. */
import type { Job, Queue, WorkerOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { LOST_TRIES, type Dispatch } from '../../lib/farm/batch.js';
import { openDispatcher, queueName, type Dispatcher } from '../../lib/farm/dispatch.js';
import { offerWork } from '../../lib/farm/offer-work.js';
import { announce, listPresent, type WorkerRecord } from '../../lib/farm/presence.js';
import { connectQueue, type QueueConnection } from '../../lib/farm/queue.js';
import type { Terms } from '../../lib/farm/terms.js';
import type { FleetStatus } from '../../lib/run/events.js';
import { createGate } from '../support/gate.js';
import {
  hasPostgres,
  hasRedis,
  startPostgres,
  startRedis,
  type QueueServer,
} from '../support/queue-servers.js';

const timing = { lookMs: 50, lockMs: 400, silenceMs: 60_000 };
/** Longer than any item takes that is no straggler. */
const LATE_MS = 10_000;

const createItems = (count: number): Dispatch[] =>
  Array.from({ length: count }, (_, number) => ({
    id: `i-${number}`,
    title: `samples of prompt ${number}`,
    data: { number },
  }));
const terms: Terms = {
  ...{ versions: {}, computes: null, scorers: {} },
  work: { kind: 'recordings', metrics: ['silence'], reference: null, text: null, transcriber: null },
};
const resultOf = (number: number) => `[${number}]`;

/** Gives an item's result, perhaps later. */
type Does = (number: number, job: Job) => string | Promise<string>;

let server: QueueServer;
let connections: QueueConnection[];
let runs = 0;
let run: string;

beforeEach(() => {
  connections = [];
  run = `run-${runs++}`;
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(connections.map((connection) => connection.close()));
});

async function connect(): Promise<QueueConnection> {
  const connection = await connectQueue(server.url);
  connections.push(connection);
  return connection;
}

async function open(signal?: AbortSignal, changes: Partial<typeof timing> = {}): Promise<Dispatcher> {
  return openDispatcher(await connect(), { id: run, signal, timing: { ...timing, ...changes } });
}

const queueOf = async (): Promise<Queue> => (await connect()).queue(queueName(run));

/** A worker with a connection of its own. */
async function startWorker(
  name: string,
  does: Does = resultOf,
  options: Partial<WorkerOptions> = {},
): Promise<{ refused: string[]; leave: () => Promise<void> }> {
  const connection = await connect();
  const worker = connection.worker(
    queueName(run),
    async (job) => ({
      worker: name,
      seconds: 0.01,
      result: await does((job.data as { number: number }).number, job),
    }),
    {
      ...{ lockDuration: timing.lockMs, stalledInterval: 100, maxStalledCount: LOST_TRIES - 1 },
      ...{ runRetryDelay: timing.lookMs, ...options },
    },
  );
  const refused: string[] = [];
  worker.on('error', ({ message }) => refused.push(message));
  await worker.waitUntilReady();
  return { refused, leave: () => worker.close(true) };
}

interface Gathered {
  results: Map<number, string>;
  statuses: FleetStatus[];
}

/** All results, of which none may come twice. */
async function gather(
  dispatcher: Dispatcher,
  items: Dispatch[],
  onResult: (count: number) => unknown = () => undefined,
  gathered: Gathered = { results: new Map(), statuses: [] },
): Promise<Gathered> {
  const { results, statuses } = gathered;
  for await (const event of dispatcher.gather(items))
    if (event.type === 'fleet') statuses.push(event.status);
    else {
      expect(results.has(event.index), `item ${event.index} comes once`).toBe(false);
      results.set(event.index, event.result);
      await onResult(results.size);
    }
  return gathered;
}

function expectAll({ results }: Gathered, count: number): void {
  expect(results.size).toBe(count);
  for (const [number, result] of results) expect(result).toBe(resultOf(number));
}

/** From now on it is later. */
function letTimePass(ms: number): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + ms);
}

/** From now on the clock of this machine is an hour ahead. */
function letClockBeAhead(): void {
  const now = Date.now.bind(Date);
  vi.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000);
}

/** What both kinds of servers have in common. */
function behaves(start: () => Promise<QueueServer>): void {
  beforeAll(async () => {
    server = await start();
  });

  it('gives each result once, in whatever order workers are ready', async () => {
    const dispatcher = await open();
    for (const name of ['a', 'b', 'c'])
      await startWorker(name, async (number) => {
        await sleep((7 * number) % 30);
        return resultOf(number);
      });
    const gathered = await gather(dispatcher, createItems(60));
    expectAll(gathered, 60);
    expect([...gathered.results.keys()]).not.toEqual([...gathered.results.keys()].toSorted((a, b) => a - b));
    const { workers, ...counts } = gathered.statuses.at(-1)!;
    expect(counts).toEqual({ waiting: 0, running: 0, failed: 0, done: 60, total: 60 });
    expect(workers.map(({ name }) => name).toSorted()).toEqual(['a', 'b', 'c']);
    expect(workers.reduce((sum, { items }) => sum + items, 0)).toBe(60);
    expectAll(await gather(dispatcher, createItems(5)), 5);
    const queue = await queueOf();
    await vi.waitFor(async () => expect(await queue.getCompletedCount(), 'results that the run has').toBe(0));
    expect(await gather(dispatcher, [])).toEqual({ results: new Map(), statuses: [] });
    await dispatcher.close(true);
    const left = await queue.getJobCounts();
    expect(Object.values(left).every((jobs) => jobs === 0)).toBe(true);
  });

  it('tries an item three times, and stops by its title', async () => {
    // The last try fails between two looks.
    const dispatcher = await open(undefined, { lookMs: 5000 });
    const tries = [0, 0, 0];
    await startWorker('a', (number) => {
      tries[number] += 1;
      if (number === 2 || (number === 1 && tries[1] < 3)) throw new Error('the reward fails: no');
      return resultOf(number);
    });
    const gathered: Gathered = { results: new Map(), statuses: [] };
    await expect(gather(dispatcher, createItems(3), undefined, gathered)).rejects.toThrow(
      'samples of prompt 2 failed 3 times on workers, the last time: the reward fails: no; the run stops and can be resumed',
    );
    expect(tries).toEqual([1, 3, 3]);
    expect(gathered.results.get(1)).toBe(resultOf(1));
    expect(gathered.statuses.at(-1)!.failed).toBe(4);
  });

  it('tries an item anew that failed for good before the run was resumed, by a clock that was ahead', async () => {
    const first = await open();
    const broken = await startWorker('a', () => {
      throw new Error('no');
    });
    letClockBeAhead();
    await expect(gather(first, createItems(1))).rejects.toThrow('failed 3 times');
    await broken.leave();
    await first.close(false);
    vi.restoreAllMocks();
    const second = await open();
    await startWorker('b');
    expectAll(await gather(second, createItems(1)), 1);
  });

  it('tries an item again whose worker has set its clock back since', async () => {
    const dispatcher = await open();
    let tries = 0;
    await startWorker('a', (number) => {
      tries += 1;
      if (tries > 1) return resultOf(number);
      letClockBeAhead();
      throw new Error('no');
    });
    const gathered: Gathered = { results: new Map(), statuses: [] };
    const gathering = gather(dispatcher, createItems(1), undefined, gathered);
    const waits = expect.objectContaining({ failed: 1, waiting: 1, running: 0 }) as FleetStatus;
    await vi.waitFor(() => expect(gathered.statuses).toContainEqual(waits), { timeout: 20_000 });
    vi.restoreAllMocks();
    expectAll(await gathering, 1);
  });

  it('does not take what a worker says that lost its hold of the item', async () => {
    const dispatcher = await open();
    const [taken, done, late] = [createGate(), createGate(), createGate()];
    const slow = await startWorker(
      'slow',
      async () => {
        taken.open();
        await done.isOpen;
        return '["late"]';
      },
      // As one that hangs.
      { skipLockRenewal: true },
    );
    const gathering = gather(dispatcher, createItems(2));
    await taken.isOpen;
    const tries: number[] = [];
    await startWorker('other', async (number) => {
      tries.push(number);
      // The first item to be taken was that of the slow worker, which answers while this one has it.
      if (tries.length === 2) {
        done.open();
        await late.isOpen;
      }
      return resultOf(number);
    });
    await vi.waitFor(() => expect(slow.refused.join()).toMatch(/lock/i), { timeout: 20_000 });
    await slow.leave();
    late.open();
    const gathered = await gathering;
    expectAll(gathered, 2);
    expect(gathered.statuses.at(-1)!.failed).toBeGreaterThan(0);
  });

  it('stops at an item that is lost again and again', async () => {
    const dispatcher = await open();
    const [taken, never] = [createGate(), createGate()];
    const hangs: Does = async () => {
      taken.open();
      return never.isOpen.then(() => '');
    };
    await startWorker('hangs', hangs, { skipLockRenewal: true, maxStalledCount: 0 });
    const gathering = gather(dispatcher, createItems(1));
    gathering.catch(() => undefined);
    await taken.isOpen;
    await startWorker('other', resultOf, { maxStalledCount: 0 });
    await expect(gathering).rejects.toThrow(/^samples of prompt 0 were lost 10 times with the workers/);
    never.open();
  });

  it('takes up what was done before its trainer ended', async () => {
    const first = await open();
    const done: number[] = [];
    const worker = await startWorker('a', (number) => {
      done.push(number);
      return resultOf(number);
    });
    const stop = new Error('stop');
    const stopping = gather(first, createItems(40), (count) => {
      if (count === 10) throw stop;
    });
    await expect(stopping).rejects.toBe(stop);
    await first.close(false);
    await worker.leave();
    const queue = await queueOf();
    const kept = await queue.getCompletedCount();
    expect(kept).toBeGreaterThanOrEqual(10);

    const second = await open();
    const gathering = gather(second, createItems(40));
    const before = done.length;
    await startWorker('b', (number) => {
      done.push(number);
      return resultOf(number);
    });
    expectAll(await gathering, 40);
    expect(done.length - before).toBe(40 - kept);
  });

  it('finds an item that failed for good where no message told of it', async () => {
    const dispatcher = await open();
    const queue = await queueOf();
    await queue.add('item', { number: 0 }, { jobId: 'i-0' });
    await startWorker('a', () => {
      throw new Error('no');
    });
    await vi.waitFor(async () => expect(await queue.getFailedCount()).toBe(1), { timeout: 20_000 });
    await expect(gather(dispatcher, createItems(1))).rejects.toThrow(/the last time: no; the run stops/);
  });

  it('ends at its signal, with the reason', async () => {
    const controller = new AbortController();
    const dispatcher = await open(controller.signal);
    await startWorker('a', (number) => {
      if (number === 0) throw new Error('to be tried again');
      return resultOf(number);
    });
    const stop = new Error('enough');
    const gathering = gather(dispatcher, createItems(50), (count) => {
      if (count === 5) controller.abort(stop);
    });
    await expect(gathering).rejects.toBe(stop);
    await dispatcher.close(false);
    expect(await (await queueOf()).getJobCountByTypes('wait', 'delayed')).toBe(0);
  });

  it('leaves nothing to do where it ends while items are given out', async () => {
    const controller = new AbortController();
    const dispatcher = await open(controller.signal);
    const stop = new Error('enough');
    const gathering = gather(dispatcher, createItems(2000));
    controller.abort(stop);
    await expect(gathering).rejects.toBe(stop);
    await dispatcher.close(false);
    await sleep(300);
    expect(await (await queueOf()).getJobCountByTypes('wait', 'delayed')).toBe(0);
  });

  it('gives stragglers out again, and takes the first result', async () => {
    const dispatcher = await open();
    const [never, taken] = [createGate(), createGate()];
    await startWorker('hangs', async () => {
      taken.open();
      // It holds its item as long as it lives.
      await never.isOpen;
      return '';
    });
    const gathering = gather(dispatcher, createItems(4), (count) => {
      if (count === 3) letTimePass(LATE_MS);
    });
    await taken.isOpen;
    await startWorker('other');
    expectAll(await gathering, 4);
    await dispatcher.close(true);
    const left = await (await queueOf()).getJobCounts();
    expect(Object.values(left).every((jobs) => jobs === 0)).toBe(true);
    never.open();
  });

  it('goes on where its server is killed and comes back', async () => {
    const dispatcher = await open();
    for (const name of ['a', 'b'])
      await startWorker(name, async (number) => {
        await sleep(30);
        return resultOf(number);
      });
    // The trainer looks at it meanwhile.
    let coming: Promise<void> | undefined;
    const gathering = gather(dispatcher, createItems(60), (count) => {
      if (count === 20)
        coming = (async () => {
          await server.kill();
          await sleep(5 * timing.lookMs);
          await server.start();
        })();
    });
    expectAll(await gathering, 60);
    await coming;
  });

  it.each(['stops', 'goes on where that is allowed, and takes the first'])(
    'where two workers give different results for one item it %s',
    async (what) => {
      const connection = await connect();
      await using offered = await offerWork(connection, {
        terms: { ...terms, computes: what === 'stops' ? 'CPU' : null },
        place: run,
      });
      run = (await listPresent(connection, 'runs')).at(-1)!.id;
      const [slow, last, taken] = [createGate(), createGate(), createGate()];
      await startWorker('slow', async (number, job) => {
        taken.open();
        if (job.id === 'i-0') await slow.isOpen;
        return `[${number}.0000001]`;
      });
      const gathering = gather(offered.dispatcher, createItems(3), (count) => {
        if (count === 1) letTimePass(LATE_MS);
        // It came from the other worker; here is the first one's.
        else slow.open();
      });
      gathering.catch(() => undefined);
      await taken.isOpen;
      for (const name of ['other', 'third'])
        await startWorker(name, async (number) => {
          // Keeps the batch from ending before.
          if (number === 2) await last.isOpen;
          return resultOf(number);
        });
      if (what === 'stops') {
        await expect(gathering).rejects.toThrow(
          /^the workers (other|third) and slow gave different results for the same samples/,
        );
        last.open();
        return;
      }
      const queue = await queueOf();
      // Where its worker was too slow to hold it, it is gone.
      await vi.waitFor(async () => expect(await queue.getJobState('i-0')).toMatch(/^(completed|unknown)$/), {
        timeout: 20_000,
      });
      // It is heard of.
      await sleep(5 * timing.lookMs);
      last.open();
      expectAll(await gathering, 3);
    },
  );
}

describe.skipIf(!hasPostgres())('the trainer on PostgreSQL', () => behaves(startPostgres));

describe.skipIf(!hasRedis())('the trainer on Redis', () => {
  behaves(startRedis);

  it('gives out more items than the queue holds at once', async () => {
    const dispatcher = await open();
    let most = 0;
    const queue = await queueOf();
    await startWorker('a', resultOf, { concurrency: 50 });
    const gathering = gather(dispatcher, createItems(2600), async (count) => {
      if (count % 500 === 0) most = Math.max(most, await queue.getJobCountByTypes('wait', 'active'));
    });
    const gathered = await gathering;
    expectAll(gathered, 2600);
    expect(new Set(gathered.statuses.map(({ total }) => total))).toEqual(new Set([2600]));
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2000);
  });

  it('goes on where Redis forgets all', async () => {
    const dispatcher = await open();
    for (const name of ['a', 'b'])
      await startWorker(name, async (number) => {
        await sleep(30);
        return resultOf(number);
      });
    const gathering = gather(dispatcher, createItems(60), async (count) => {
      if (count !== 20) return;
      const client = new Redis(server.url);
      await client.flushall();
      client.disconnect();
    });
    expectAll(await gathering, 60);
  });

  it('says that Redis is away, and stops where it does not come back', async () => {
    const own = await startRedis();
    const before = server;
    server = own;
    try {
      const dispatcher = await open(undefined, { silenceMs: 1500 });
      const gathered: Gathered = { results: new Map(), statuses: [] };
      await startWorker('a', async (number) => {
        await sleep(10);
        return resultOf(number);
      });
      const gathering = gather(
        dispatcher,
        createItems(500),
        async (count) => {
          if (count === 5) await own.kill();
        },
        gathered,
      );
      await expect(gathering).rejects.toThrow(
        /^the queue at redis:\/\/127\.0\.0\.1:\d+ has not answered for \d+ \w+; the run stops and can be resumed$/,
      );
      expect(gathered.statuses.at(-1)!.trouble).toMatch(/^the queue at redis:\S+ does not answer$/);
    } finally {
      server = before;
    }
  });

  it('says that Redis is away where it went before the items were given out', async () => {
    const own = await startRedis();
    const before = server;
    server = own;
    try {
      const dispatcher = await open(undefined, { silenceMs: 1500 });
      await own.kill();
      const gathered: Gathered = { results: new Map(), statuses: [] };
      const gathering = gather(dispatcher, createItems(5), undefined, gathered);
      await expect(gathering).rejects.toThrow(/has not answered/);
      expect(gathered.statuses.at(-1)).toMatchObject({ waiting: 5, running: 0, done: 0, total: 5 });
      expect(gathered.statuses.at(-1)!.trouble).toMatch(/^the queue at redis:\S+ does not answer$/);
    } finally {
      server = before;
    }
  });

  it('stops at once by what Redis says where it is there, and its memory is full', async () => {
    const own = await startRedis();
    const before = server;
    server = own;
    try {
      const dispatcher = await open();
      const client = new Redis(own.url);
      await client.config('SET', 'maxmemory', '1');
      client.disconnect();
      await expect(gather(dispatcher, createItems(3))).rejects.toThrow(/OOM command not allowed/);
    } finally {
      server = before;
    }
  });

  it('says that no worker takes part, and how many refused', async () => {
    const dispatcher = await open();
    const connection = await connect();
    const record: WorkerRecord = {
      ...{ kind: 'worker', name: 'other', host: 'there', pid: 7, version: '9', device: 'the CPU' },
      ...{ computes: 'CPU', items: 0, seconds: 0, startedAt: '', state: 'refuses' },
      refusals: [{ run, title: 'a run', reason: 'another version' }],
    };
    const announcement = await announce(connection, 'workers', 'other', record);
    const gathered: Gathered = { results: new Map(), statuses: [] };
    const gathering = gather(dispatcher, createItems(1), undefined, gathered);
    await vi.waitFor(() => expect(gathered.statuses.length).toBeGreaterThan(0), { timeout: 20_000 });
    expect(gathered.statuses[0].trouble).toBe(
      `no worker takes part; 1 refused: start one on any machine: npx speech-dpo worker ${connection.address}`,
    );
    expect(gathered.statuses[0]).toMatchObject({ waiting: 1, running: 0, done: 0, total: 1 });
    await announcement.leave();
    await vi.waitFor(
      () => expect(gathered.statuses.at(-1)!.trouble).toMatch(/^no worker takes part: start one/),
      { timeout: 20_000 },
    );
    await startWorker('a');
    expectAll(await gathering, 1);
  });
});
