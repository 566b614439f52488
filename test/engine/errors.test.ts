import { afterAll, describe, expect, it } from 'vitest';
import { compile, CpuDevice, EngineError, EngineStopped, tf } from '../../lib/engine/index.js';

const device = new CpuDevice(1);
afterAll(() => device.close());
const module = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
const failureOf = (work: Promise<unknown>) => work.then(() => undefined, (error: unknown) => error as Error); // prettier-ignore

async function readAll(events: AsyncGenerator): Promise<void> {
  for await (const event of events) void event;
}

describe('an error in the worker reaches the caller with its class and stack, and is no plain Error', () => {
  it.each<[string, () => Promise<unknown>, string, string]>([
    ['a mistake in this program', () => device.call('run', 9999, {}, {}), 'TypeError', 'cpu/worker.js'],
    ['too many values', () => device.call('clear', 9999, 0, 8), 'TypeError', 'cpu/worker.js'],
    ['a model that is none', () => device.load(Uint8Array.of(1, 2, 3)), 'Error', 'cpu/session.js'],
    ['no such memory to be had', () => device.call('createMemory', 2 ** 34), 'RangeError', 'cpu/worker.js'],
  ])('%s', async (_, call, name, where) => {
    const failure = await failureOf(call());
    expect(failure).toBeInstanceOf(EngineError);
    expect(failure!.name).toBe(name);
    expect(failure!.stack).toContain(where);
    expect(failure!.stack).toContain('errors.test.ts');
    expect(failure!.stack!.split('\n')[0]).toContain(failure!.message.split('\n')[0]);
  });

  it('also from a generator', async () => {
    const source = 'export async function* stream() { yield 1; null.nothing; }';
    const failure = await failureOf(readAll(device.stream(module(source), {})));
    expect(failure).toBeInstanceOf(EngineError);
    expect(failure!.name).toBe('TypeError');
  });
});

describe('a worker that dies', () => {
  const deadly = module(
    'export async function* stream() { setTimeout(() => { throw new RangeError("no room"); }); await new Promise(() => undefined); yield 1; }',
  );

  it('rejects the calls under way and later ones with the reason', async () => {
    const dying = new CpuDevice(1);
    const failure = await failureOf(readAll(dying.stream(deadly, {})));
    expect(failure).toBeInstanceOf(EngineStopped);
    expect(failure!.message).toBe("the engine's worker has died: no room");
    expect(failure!.cause).toBeInstanceOf(RangeError);
    expect(await failureOf(dying.allocate([['a', [1]]]))).toBe(failure);
    expect(dying.isOpen).toBe(false);
    await dying.close();
  });

  it('takes along what was in it: to release that is no error', async () => {
    const dying = new CpuDevice(1);
    const { release } = await dying.allocate([['a', [1]]]);
    const program = await compile(
      ({ x }) => ({ y: tf.neg(x) }),
      { x: { shape: [1], dtype: 'float32' } },
      { device: dying },
    );
    await failureOf(readAll(dying.stream(deadly, {})));
    await release();
    await program.dispose();
  });

  it('is replaced by opening another', async () => {
    const dying = new CpuDevice(1);
    await failureOf(readAll(dying.stream(deadly, {})));
    const next = new CpuDevice(1);
    const { release } = await next.allocate([['a', [1]]]);
    await release();
    await next.close();
  });
});
