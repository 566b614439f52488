/** A worker's loop on real servers, with executors in this process in place of those that compute. */
import { hostname } from 'node:os';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Dispatch } from '../../lib/farm/batch.js';
import { ExecutorFault, type Executor } from '../../lib/farm/executor.js';
import { openDispatcher, queueName, type Dispatcher } from '../../lib/farm/dispatch.js';
import { announce, listPresent, type Announcement } from '../../lib/farm/presence.js';
import { connectQueue, type QueueConnection } from '../../lib/farm/queue.js';
import type { Offer, WorkerTraits } from '../../lib/farm/terms.js';
import { work } from '../../lib/farm/work.js';
import { createGate } from '../support/gate.js';
import {
  hasPostgres,
  hasRedis,
  startPostgres,
  startRedis,
  type QueueServer,
} from '../support/queue-servers.js';

const timing = { lookMs: 50, lockMs: 1000 };
const versions = { 'speech-dpo': '1.0.0', 'Node.js': '20' };
const traits: WorkerTraits = { versions, computes: 'CPU x64', rewards: [] };
const offer: Offer = {
  terms: {
    versions,
    computes: 'CPU x64',
    scorers: {},
    work: {
      kind: 'samples',
      rules: { temperature: 1, topK: 0, topP: 1, maxNewTokens: 10 },
      int8: false,
      speech: null,
      reward: { name: 'even-token', rewardModel: 'nisqa' },
      guards: [],
      transcriber: null,
    },
  },
  files: null,
};

const createItems = (count: number): Dispatch[] =>
  Array.from({ length: count }, (_, number) => ({
    id: `i-${number}`,
    title: `samples of prompt ${number}`,
    data: { number },
  }));

type Does = (number: number) => string | Promise<string>;
const doAtOnce: Does = (number) => `[${number}]`;

function createExecutor(does: Does, open: Executor['open'] = () => Promise.resolve()): Executor {
  return {
    device: 'the CPU, 1 thread',
    traits,
    open,
    do: async (_, data) => ({ result: await does((data as { number: number }).number), seconds: 0.01 }),
    close: () => Promise.resolve(),
  };
}

/** Takes an item, and has done it once `done` is open. */
function createHeldExecutor() {
  const [taken, done] = [createGate(), createGate()];
  const executor = createExecutor(async (number) => {
    taken.open();
    await done.isOpen;
    return doAtOnce(number);
  });
  return { executor, taken, done };
}

let ends: (() => Promise<unknown>)[];
let runs = 0;

beforeEach(() => {
  ends = [];
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const end of ends.toReversed()) await end();
});

/** What both kinds of servers have in common. */
function behaves(start: () => Promise<QueueServer>): void {
  let server: QueueServer;
  beforeAll(async () => {
    server = await start();
  });

  async function connect(): Promise<QueueConnection> {
    const connection = await connectQueue(server.url);
    let closing: Promise<void> | undefined;
    const close = () => (closing ??= connection.close());
    ends.push(close);
    return { ...connection, close };
  }

  async function offerRun(terms: unknown = offer): Promise<{
    id: string;
    dispatcher: Dispatcher;
    announcement: Announcement<'runs'>;
    say: (waiting: number) => void;
  }> {
    const connection = await connect();
    const id = `run-${runs++}`;
    const dispatcher = await openDispatcher(connection, { id, timing });
    const record = { kind: 'run', id, title: `${id} on here`, terms } as const;
    const announcement = await announce(connection, 'runs', id, record);
    ends.push(() => announcement.leave());
    const say = (waiting: number) => {
      announcement.update({ ...record, counts: { waiting, running: 0, done: 0, total: waiting } });
    };
    return { id, dispatcher, announcement, say };
  }

  /** A worker with a connection of its own, which ends with the test. */
  async function startWorker(name: string, executors: Executor[]) {
    const connection = await connect();
    const controller = new AbortController();
    const notices: string[] = [];
    const { signal } = controller;
    const ended = work(connection, {
      name,
      executors,
      signal,
      timing,
      onNotice: (said) => notices.push(said),
    });
    ended.catch(() => undefined);
    const leave = () => {
      controller.abort();
      return ended;
    };
    ends.push(() => leave().catch(() => undefined));
    return { notices, ended, leave, close: () => connection.close() };
  }

  async function gather(dispatcher: Dispatcher, count: number) {
    const results: string[] = [];
    let failed = 0;
    for await (const event of dispatcher.gather(createItems(count)))
      if (event.type === 'fleet') failed = event.status.failed;
      else results[event.index] = event.result;
    expect(results).toEqual(createItems(count).map((_, number) => `[${number}]`));
    return { failed };
  }

  it('does the items of a run, each of its executors one at a time, and goes', async () => {
    const { dispatcher, announcement } = await offerRun();
    let [most, busy] = [0, 0];
    const executors = [0, 1].map(() => {
      let isBusy = false;
      return createExecutor(async (number) => {
        expect(isBusy).toBe(false);
        isBusy = true;
        most = Math.max(most, ++busy);
        await new Promise((resolve) => setTimeout(resolve, 5));
        busy -= 1;
        isBusy = false;
        return doAtOnce(number);
      });
    });
    const worker = await startWorker('a', executors);
    expect(await gather(dispatcher, 30)).toEqual({ failed: 0 });
    expect(most).toBe(2);
    const observer = await connect();
    await vi.waitFor(
      async () =>
        expect(await listPresent(observer, 'workers')).toMatchObject([
          { name: 'a', items: 30, seconds: expect.closeTo(0.3) as number, state: 'idle' },
        ]),
      { timeout: 20_000 },
    );
    await announcement.leave();
    await vi.waitFor(() => expect(worker.notices).toHaveLength(2), { timeout: 20_000 });
    expect(worker.notices).toEqual([
      expect.stringContaining('works for run-'),
      expect.stringContaining('leaves run-'),
    ]);
    await worker.leave();
    expect(await listPresent(observer, 'workers')).toEqual([]);
  });

  it('has a name of its own where another worker has the one that it was given', async () => {
    const { dispatcher } = await offerRun();
    const observer = await connect();
    await startWorker('same:name', [createExecutor(doAtOnce)]);
    await vi.waitFor(async () => expect(await listPresent(observer, 'workers')).toHaveLength(1));
    const second = await startWorker('same:name', [createExecutor(doAtOnce)]);
    await vi.waitFor(async () => expect(await listPresent(observer, 'workers')).toHaveLength(2));
    const [, { name }] = await listPresent(observer, 'workers');
    expect(name).toBe(`same:name-${hostname()}-${process.pid}`);
    expect(second.notices[0]).toBe(`another worker is called same:name: this one is called ${name}`);
    await gather(dispatcher, 3);
    await second.leave();
    expect(await listPresent(observer, 'workers')).toMatchObject([{ name: 'same:name' }]);
  });

  it('ends the item that it has in hand before it goes', async () => {
    const { dispatcher } = await offerRun();
    const { executor, taken, done } = createHeldExecutor();
    const worker = await startWorker('a', [executor]);
    const gathering = gather(dispatcher, 1);
    await taken.isOpen;
    let hasLeft = false;
    const left = worker.leave().then(() => (hasLeft = true));
    // Longer than an idle worker waits for its server.
    await new Promise((resolve) => setTimeout(resolve, 5500));
    expect(hasLeft).toBe(false);
    done.open();
    await left;
    expect(await gathering).toEqual({ failed: 0 });
  });

  it('gives an item back that its disk is too full for, and stops with a sentence', async () => {
    const { dispatcher } = await offerRun();
    const worker = await startWorker('full', [
      createExecutor(() => {
        throw new ExecutorFault('disk', 'the disk is full: make room there');
      }),
    ]);
    const gathering = gather(dispatcher, 3);
    const error = await worker.ended.then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    expect(error?.message).toBe('the disk is full: make room there');
    expect(error?.cause).toMatchObject({ code: 'ENOSPC' });
    await startWorker('roomy', [createExecutor(doAtOnce)]);
    expect(await gathering, 'no try was in vain').toEqual({ failed: 0 });
  });

  it('leaves a run whose files it cannot have, and says so; another does the items', async () => {
    const { id, dispatcher } = await offerRun();
    const lacks = () => Promise.reject(new ExecutorFault('worker', 'the codec cannot be had'));
    const apart = await startWorker('apart', [createExecutor(doAtOnce, lacks)]);
    const late = await startWorker('late', [
      createExecutor(() => {
        throw new ExecutorFault('worker', 'the policy cannot be had');
      }),
    ]);
    const gathering = gather(dispatcher, 3);
    await vi.waitFor(() => expect(late.notices.join()).toContain('leaves'), { timeout: 20_000 });
    expect(apart.notices).toEqual([`takes no part in ${id} on here: the codec cannot be had`]);
    expect(late.notices).toContain(`takes no part in ${id} on here: the policy cannot be had`);
    const observer = await connect();
    await vi.waitFor(
      async () => {
        const present = await listPresent(observer, 'workers');
        expect(present.map(({ state, refusals: [refusal] }) => [state, refusal?.run])).toEqual([
          ['refuses', id],
          ['refuses', id],
        ]);
      },
      { timeout: 20_000 },
    );
    await startWorker('b', [createExecutor(doAtOnce)]);
    expect(await gathering).toEqual({ failed: 0 });
  });

  it('does not hold an item to blame that others lost', async () => {
    const { id, dispatcher } = await offerRun();
    const never = createGate();
    const { executor, taken, done } = createHeldExecutor();
    await startWorker('a', [executor]);
    const gathering = gather(dispatcher, 2);
    await taken.isOpen;
    let tries = 0;
    const others = (await connect()).worker(
      queueName(id),
      async (job) => {
        tries += 1;
        if (tries < 3) await never.isOpen;
        done.open();
        const result = await doAtOnce((job.data as { number: number }).number);
        return { worker: 'others', seconds: 0.01, result };
      },
      { concurrency: 3, lockDuration: 300, skipLockRenewal: true, skipStalledCheck: true },
    );
    expect((await gathering).failed).toBeGreaterThan(1);
    never.open();
    await others.close(true);
  });

  it('tells a failed item’s reason', async () => {
    const { dispatcher } = await offerRun();
    await startWorker('a', [
      createExecutor(() => {
        throw new ExecutorFault('item', 'it took longer than 600 seconds');
      }),
    ]);
    await expect(gather(dispatcher, 1)).rejects.toThrow('the last time: it took longer than 600 seconds');
  });

  it('takes no part in a run that it does not fit, and in one that does', async () => {
    const other = { ...offer, terms: { ...offer.terms, versions: { ...versions, 'speech-dpo': '2.0.0' } } };
    const [unfit, unreadable] = [await offerRun(other), await offerRun({ strange: true })];
    const { dispatcher } = await offerRun();
    const opened: string[] = [];
    const worker = await startWorker('a', [
      createExecutor(doAtOnce, async (run) => {
        opened.push(run);
        return Promise.resolve();
      }),
    ]);
    await gather(dispatcher, 3);
    unfit.say(3);
    // Idle for longer than it waits for its own run.
    await new Promise((resolve) => setTimeout(resolve, 10 * timing.lookMs));
    expect(opened).toHaveLength(1);
    expect(worker.notices.slice(0, 2)).toEqual([
      expect.stringMatching(
        new RegExp(
          `takes no part in ${unfit.id} on here: the run is of speech-dpo 2.0.0, this worker of 1.0.0`,
        ),
      ),
      expect.stringMatching(
        new RegExp(`takes no part in ${unreadable.id} on here: its terms cannot be read`),
      ),
    ]);
  });

  it('asks anew what a run wants that is started again before it was missed', async () => {
    const other = { ...offer, terms: { ...offer.terms, computes: 'CUDA' } };
    const { id, dispatcher, announcement } = await offerRun(other);
    const tokens: unknown[] = [];
    const worker = await startWorker('a', [
      createExecutor(doAtOnce, async (_, { files }) => {
        tokens.push(files?.token);
        return Promise.resolve();
      }),
    ]);
    await vi.waitFor(() => expect(worker.notices.join()).toContain('--allow-mixed'), { timeout: 20_000 });
    await new Promise((resolve) => setTimeout(resolve, 5 * timing.lookMs));
    expect(worker.notices, 'once').toHaveLength(1);
    const record = { kind: 'run', id, title: id } as const;
    announcement.update({ ...record, terms: offer });
    await gather(dispatcher, 3);
    announcement.update({ ...record, terms: { ...offer, files: { address: 'http://there', token: 'new' } } });
    await vi.waitFor(() => expect(tokens).toEqual([undefined, 'new']), { timeout: 20_000 });
    await gather(dispatcher, 3);
  });

  it('tries again what it could not have, after a while', async () => {
    const { id, dispatcher } = await offerRun();
    let tries = 0;
    const worker = await startWorker('a', [
      createExecutor(doAtOnce, () => {
        tries += 1;
        return tries > 1 ? Promise.resolve() : Promise.reject(new ExecutorFault('worker', 'no network'));
      }),
    ]);
    await vi.waitFor(() => expect(worker.notices).toEqual([`takes no part in ${id} on here: no network`]), {
      timeout: 20_000,
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(tries).toBe(1);
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 16_000);
    await gather(dispatcher, 3);
    expect(tries).toBe(2);
  });

  it('goes to where work waits while its run has none', async () => {
    const [first, second] = [await offerRun(), await offerRun()];
    const opened: string[] = [];
    await startWorker('a', [
      createExecutor(doAtOnce, async (run) => {
        opened.push(run);
        return Promise.resolve();
      }),
    ]);
    await gather(first.dispatcher, 3);
    // As of an item whose next try is not due.
    first.say(1);
    // Idle for longer than it waits for its own run.
    await new Promise((resolve) => setTimeout(resolve, 10 * timing.lookMs));
    expect(opened, 'no other run has work').toEqual([first.id]);
    first.say(0);
    const gathering = gather(second.dispatcher, 3);
    second.say(3);
    await gathering;
    expect(opened).toContain(second.id);
  });

  it('works on where its server was away', async () => {
    const { dispatcher, announcement } = await offerRun();
    const worker = await startWorker('a', [createExecutor(doAtOnce)]);
    await gather(dispatcher, 3);
    await server.kill();
    // Some looks that nobody answers.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await server.start();
    await gather(dispatcher, 5);
    await announcement.leave();
    const again = await offerRun();
    await gather(again.dispatcher, 3);
    await worker.leave();
  });

  it('goes where its server is away while it looks for a run', async () => {
    const observer = await connect();
    const worker = await startWorker('a', [createExecutor(doAtOnce)]);
    await vi.waitFor(async () => expect(await listPresent(observer, 'workers')).toHaveLength(1), {
      timeout: 20_000,
    });
    await observer.close();
    await server.kill();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await worker.leave();
    await worker.close();
    await server.start();
  });
}

describe.skipIf(!hasRedis())('a worker on Redis', () => {
  behaves(startRedis);
});
describe.skipIf(!hasPostgres())('a worker on PostgreSQL', () => behaves(startPostgres));
