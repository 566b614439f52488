import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { compile, EngineHost, tf } from '../../lib/engine/index.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const host = new EngineHost(1);
afterAll(() => host.close());

const values = Float32Array.of(1, 2, 3, 4, 5, 6);

describe('resident tensors', () => {
  it('start as zeros, side by side at multiples of 64 bytes, and hold what is written', async () => {
    const { tensors, byteLength, release } = await host.allocate([
      ['a', [5]],
      ['b', [2, 3]],
      ['c', []],
    ]);
    expect([...tensors.values()].map(({ byteOffset }) => byteOffset)).toEqual([0, 64, 128]);
    expect(byteLength).toBe(192);
    expect(await host.read(tensors.get('b')!)).toEqual(new Float32Array(6));
    await host.write(tensors.get('b')!, values);
    expect(await host.read(tensors.get('b')!)).toEqual(values);
    expect(await host.read(tensors.get('a')!)).toEqual(new Float32Array(5));
    expect(await host.read(tensors.get('c')!)).toEqual(new Float32Array(1));
    await release();
  });

  it('are copied when read', async () => {
    const { tensors, release } = await host.allocate([['a', [6]]]);
    const before = await host.read(tensors.get('a')!);
    await host.write(tensors.get('a')!, values);
    expect(before).toEqual(new Float32Array(6));
    await release();
  });

  it('are cleared by bytes', async () => {
    const { memory, tensors, release } = await host.allocate([['a', [6]]]);
    await host.write(tensors.get('a')!, values);
    await host.call('clear', memory, 4, 8);
    expect(await host.read(tensors.get('a')!)).toEqual(Float32Array.of(1, 0, 0, 4, 5, 6));
    await release();
  });

  it('are let go of together with the WebAssembly that works on them', async () => {
    // (module (import "env" "memory" (memory 1)) (func (export "answer") (result i32) i32.const 42))
    const module = Uint8Array.from(
      Buffer.from(
        '0061736d010000000105016000017f020f0103656e76066d656d6f7279020001030201000' +
          '70a0106616e7377657200000a06010400412a0b',
        'hex',
      ),
    );
    const [first, second] = [await host.allocate([['a', [1]]]), await host.allocate([['a', [1]]])];
    const instances = [first, second].map(({ memory }) => host.call('instantiate', memory, module));
    const [ofFirst, ofSecond] = await Promise.all(instances);
    await first.release();
    await expect(host.call('call', ofFirst, 'answer', [])).rejects.toThrow('undefined');
    expect(await host.call('call', ofSecond, 'answer', [])).toBe(42);
    await second.release();
  });

  it('are read and written by programs, whose other outputs come back', async () => {
    const { tensors, release } = await host.allocate([
      ['x', [2, 3]],
      ['sum', [2, 3]],
    ]);
    const x = tensors.get('x')!;
    const sum = tensors.get('sum')!;
    const run = await compile(
      (inputs) => ({ sum: tf.add(inputs.x, inputs.y), product: tf.mul(inputs.x, inputs.y) }),
      { x: { shape: [2, 3], dtype: 'float32' }, y: { shape: [2, 3], dtype: 'float32' } },
      { host },
    );
    await host.write(x, values);
    expect(await run({ x, y: values }, { sum })).toEqual({ product: values.map((value) => value ** 2) });
    expect(await host.read(sum)).toEqual(values.map((value) => 2 * value));
    // The same place as input and output: a running sum.
    await run({ x: sum, y: values }, { sum, product: x });
    expect(await host.read(sum)).toEqual(values.map((value) => 3 * value));
    await run.dispose();
    await release();
  });

  it('take a part of a larger tensor', async () => {
    const { tensors, release } = await host.allocate([['rows', [4, 3]]]);
    const rows = tensors.get('rows')!;
    const run = await compile(
      (inputs) => ({ y: tf.neg(inputs.x) }),
      { x: { shape: [3], dtype: 'float32' } },
      { host },
    );
    const third = { ...rows, byteOffset: rows.byteOffset + 2 * 3 * 4, shape: [3] };
    expect(await run({ x: Float32Array.of(1, 2, 3) }, { y: third })).toEqual({});
    expect(await host.read(rows)).toEqual(Float32Array.of(0, 0, 0, 0, 0, 0, -1, -2, -3, 0, 0, 0));
    await run.dispose();
    await release();
  });

  it('are gone after release', async () => {
    const { tensors, release } = await host.allocate([['a', [1]]]);
    await release();
    await expect(host.read(tensors.get('a')!)).rejects.toThrow();
  });
});

describe('a failing call rejects and leaves the worker alive', () => {
  const resident = (shape: number[]) => host.allocate([['a', shape]]);

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'a model that is none',
      () => host.call('createSession', Uint8Array.of(1, 2, 3), 1),
      'protobuf parsing failed',
    ],
    ['a session that does not exist', () => host.call('run', 9999, {}, {}), 'outputNames'],
    ['more memory than WebAssembly has', () => resident([2 ** 31]), 'WebAssembly ends at 4 GiB'],
    [
      'a module that is none',
      async () => host.call('instantiate', (await resident([1])).memory, new Uint8Array(8)),
      'expected magic word',
    ],
    [
      'more values than fit',
      async () => host.write((await resident([2 ** 14])).tensors.get('a')!, new Float32Array(2 ** 14 + 1)),
      'out of bounds',
    ],
  ])('%s', async (_, call, message) => {
    const failure = await call().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect((failure as Error).message.toLowerCase()).toContain(message.toLowerCase());
    const { release } = await resident([1]);
    await release();
  });

  it('an output place of another shape', async () => {
    const { tensors, release } = await resident([7]);
    const run = await compile(
      ({ x }) => ({ y: tf.neg(x) }),
      { x: { shape: [6], dtype: 'float32' } },
      { host },
    );
    await expect(run({ x: values }, { y: tensors.get('a')! })).rejects.toThrow('invalid dimensions');
    expect((await run({ x: values })).y[0]).toBe(-1);
    await run.dispose();
    await release();
  });
});

describe('the worker', () => {
  it('answers no call after it is closed, and rejects those under way', async () => {
    const closed = new EngineHost(1);
    const underWay = closed.allocate([['a', [1]]]).catch((error: Error) => error.message);
    await closed.close();
    expect(await underWay).toContain('closed');
    await expect(closed.call('createMemory', 1)).rejects.toThrow('closed');
  });

  it('lets the process end once its calls are answered, and no sooner, and reports nothing to anybody', async () => {
    const engine = new URL('../../dist/lib/engine/index.js', import.meta.url).href;
    const script = `
      import { compile, tf } from '${engine}';
      const run = await compile(({ x }) => ({ y: tf.neg(x) }), { x: { shape: [1], dtype: 'float32' } });
      run({ x: Float32Array.of(3) }).then(({ y }) => console.log('answered', y[0]));`;
    // ONNX Runtime's telemetry, which is off where CI is set, starts with an identifier in the cache folder.
    const home = temporaryFolder();
    const env = { ...process.env, HOME: home, XDG_CACHE_HOME: '', CI: '', ORT_DISABLE_TELEMETRY: undefined };
    const child = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      timeout: 60_000,
      env,
    });
    expect((await child).stdout.trim()).toBe('answered -3');
    expect(readdirSync(home)).toEqual([]);
  });
});

describe('a generator in the worker', () => {
  const module = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
  const counter = module(`
    export async function* stream(thread, { upTo }) {
      try {
        for (let i = 0; i < upTo; i++) {
          await new Promise((resolve) => setImmediate(resolve));
          yield i;
        }
      } finally {
        globalThis.endedAt = (globalThis.endedAt ?? 0) + 1;
      }
    }`);
  const ended = module('export async function* stream() { yield globalThis.endedAt ?? 0; }');

  async function collect<T>(events: AsyncGenerator<T>): Promise<T[]> {
    const all: T[] = [];
    for await (const event of events) all.push(event);
    return all;
  }

  it('is read in order, to its end', async () => {
    expect(await collect(host.stream(counter, { upTo: 5 }))).toEqual([0, 1, 2, 3, 4]);
    expect(await collect(host.stream(counter, { upTo: 0 }))).toEqual([]);
  });

  it('ends when its reader leaves, and the worker goes on', async () => {
    const [before] = await collect(host.stream<number>(ended, {}));
    for await (const event of host.stream(counter, { upTo: 1_000_000 })) if (event === 2) break;
    expect(await collect(host.stream(ended, {}))).toEqual([before + 1]);
  });

  it('passes its error on', async () => {
    const failing = module('export async function* stream() { yield 1; throw new Error("no more"); }');
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const event of host.stream(failing, {})) seen.push(event);
    })();
    await expect(reading).rejects.toThrow('no more');
    expect(seen).toEqual([1]);
    await expect(collect(host.stream('file:///no/such/module.js', {}))).rejects.toThrow('no/such/module');
  });

  it('runs sessions without a message in between', async () => {
    const run = await compile(
      ({ x }) => ({ y: tf.add(x, x) }),
      { x: { shape: [1], dtype: 'float32' } },
      { host },
    );
    const doubling = module(`
      export async function* stream(thread, { session }) {
        let data = Float32Array.of(1);
        for (let i = 0; i < 3; i++) {
          data = (await thread.run(session, { x: { data, shape: [1] } }, {})).y;
          yield data[0];
        }
      }`);
    expect(await collect(host.stream(doubling, { session: run.session }))).toEqual([2, 4, 8]);
    await run.dispose();
  });
});
