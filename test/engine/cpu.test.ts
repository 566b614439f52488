import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { compile, CpuDevice, partOf, tf } from '../../lib/engine/index.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const device = new CpuDevice(1);
afterAll(() => device.close());

const values = Float32Array.of(1, 2, 3, 4, 5, 6);

describe('resident tensors', () => {
  it('start as zeros, side by side at multiples of 64 bytes, and hold what is written', async () => {
    const { tensors, byteLength, release } = await device.allocate([
      ['a', [5]],
      ['b', [2, 3]],
      ['c', []],
    ]);
    expect([...tensors.values()].map(({ start }) => 4 * start)).toEqual([0, 64, 128]);
    expect(byteLength).toBe(192);
    expect(await device.read(tensors.get('b')!)).toEqual(new Float32Array(6));
    await device.write(tensors.get('b')!, values);
    expect(await device.read(tensors.get('b')!)).toEqual(values);
    expect(await device.read(tensors.get('a')!)).toEqual(new Float32Array(5));
    expect(await device.read(tensors.get('c')!)).toEqual(new Float32Array(1));
    await release();
  });

  it('are copied when read', async () => {
    const { tensors, release } = await device.allocate([['a', [6]]]);
    const before = await device.read(tensors.get('a')!);
    await device.write(tensors.get('a')!, values);
    expect(before).toEqual(new Float32Array(6));
    await release();
  });

  it('of any size are written as they are, also several at once', async () => {
    const sizes = [2 ** 18 + 3, 5, 2 ** 19];
    const { tensors, release } = await device.allocate(sizes.map((size, i) => [`${i}`, [size]]));
    const written = sizes.map((size, i) => Float32Array.from({ length: size }, (_, at) => at + i / 4));
    await Promise.all(written.map((numbers, i) => device.write(tensors.get(`${i}`)!, numbers)));
    for (const [i, numbers] of written.entries())
      expect(Buffer.compare(bytesOf(await device.read(tensors.get(`${i}`)!)), bytesOf(numbers))).toBe(0);
    await release();
  });

  it('are cleared by bytes', async () => {
    const { handle, tensors, release } = await device.allocate([['a', [6]]]);
    await device.write(tensors.get('a')!, values);
    await device.call('clear', handle, 4, 8);
    expect(await device.read(tensors.get('a')!)).toEqual(Float32Array.of(1, 0, 0, 4, 5, 6));
    await release();
  });

  it('are cleared as a whole, and no more than that', async () => {
    const { tensors, release } = await device.allocate([
      ['a', [6]],
      ['b', [6]],
    ]);
    for (const tensor of tensors.values()) await device.write(tensor, values);
    await device.clear(tensors.get('a')!);
    expect(await device.read(tensors.get('a')!)).toEqual(new Float32Array(6));
    expect(await device.read(tensors.get('b')!)).toEqual(values);
    await release();
  });

  it('have parts that begin at a row, and none beyond their end', async () => {
    const { tensors, release } = await device.allocate([['rows', [3, 2]]]);
    const rows = tensors.get('rows')!;
    await device.write(rows, values);
    expect(await device.read(partOf(rows, 1, [2, 2]))).toEqual(Float32Array.of(3, 4, 5, 6));
    expect(await device.read(partOf(partOf(rows, 1, [2, 2]), 1, [2, 1]))).toEqual(Float32Array.of(5, 6));
    expect(() => partOf(rows, 2, [2, 2])).toThrow('[2, 2] from row 2 reaches beyond [3, 2]');
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
    const [first, second] = [await device.allocate([['a', [1]]]), await device.allocate([['a', [1]]])];
    const instances = [first, second].map(({ handle }) => device.call('instantiate', handle, module));
    const [ofFirst, ofSecond] = await Promise.all(instances);
    await first.release();
    await expect(device.call('call', ofFirst, 'answer', [])).rejects.toThrow('undefined');
    expect(await device.call('call', ofSecond, 'answer', [])).toBe(42);
    await second.release();
  });

  it('are read and written by programs, whose other outputs come back', async () => {
    const { tensors, release } = await device.allocate([
      ['x', [2, 3]],
      ['sum', [2, 3]],
    ]);
    const x = tensors.get('x')!;
    const sum = tensors.get('sum')!;
    const run = await compile(
      (inputs) => ({ sum: tf.add(inputs.x, inputs.y), product: tf.mul(inputs.x, inputs.y) }),
      { x: { shape: [2, 3], dtype: 'float32' }, y: { shape: [2, 3], dtype: 'float32' } },
      { device },
    );
    await device.write(x, values);
    expect(await run({ x, y: values }, { sum })).toEqual({ product: values.map((value) => value ** 2) });
    expect(await device.read(sum)).toEqual(values.map((value) => 2 * value));
    // The same place as input and output: a running sum.
    await run({ x: sum, y: values }, { sum, product: x });
    expect(await device.read(sum)).toEqual(values.map((value) => 3 * value));
    await run.dispose();
    await release();
  });

  it('take a part of a larger tensor', async () => {
    const { tensors, release } = await device.allocate([['rows', [4, 3]]]);
    const rows = tensors.get('rows')!;
    const run = await compile(
      (inputs) => ({ y: tf.neg(inputs.x) }),
      { x: { shape: [3], dtype: 'float32' } },
      { device },
    );
    const third = partOf(rows, 2, [3]);
    expect(await run({ x: Float32Array.of(1, 2, 3) }, { y: third })).toEqual({});
    expect(await device.read(rows)).toEqual(Float32Array.of(0, 0, 0, 0, 0, 0, -1, -2, -3, 0, 0, 0));
    await run.dispose();
    await release();
  });

  it('are gone after release', async () => {
    const { tensors, release } = await device.allocate([['a', [1]]]);
    await release();
    await expect(device.read(tensors.get('a')!)).rejects.toThrow();
  });
});

describe('a failing call rejects and leaves the worker alive', () => {
  const resident = (shape: number[]) => device.allocate([['a', shape]]);
  const settings = { threads: 1, sharesArena: false, packs: true };

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'a model that is none',
      () => device.call('createSession', Uint8Array.of(1, 2, 3), [], settings),
      'protobuf parsing failed',
    ],
    [
      'a session that does not exist',
      () => device.call('run', 9999, {}, {}),
      'the device has no program 9999',
    ],
    ['more memory than WebAssembly has', () => resident([2 ** 31]), 'WebAssembly ends at 4 GiB'],
    [
      'a module that is none',
      async () => device.call('instantiate', (await resident([1])).handle, new Uint8Array(8)),
      'expected magic word',
    ],
    [
      'more values than fit',
      async () => device.write((await resident([2 ** 14])).tensors.get('a')!, new Float32Array(2 ** 14 + 1)),
      '16385 numbers are written to a tensor of [16384]',
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
      { device },
    );
    await expect(run({ x: values }, { y: tensors.get('a')! })).rejects.toThrow('invalid dimensions');
    expect((await run({ x: values })).y[0]).toBe(-1);
    await run.dispose();
    await release();
  });
});

describe('the worker', () => {
  it('answers no call after it is closed, and rejects those under way', async () => {
    const closed = new CpuDevice(1);
    const underWay = closed.allocate([['a', [1]]]).catch((error: Error) => error.message);
    await closed.close();
    expect(await underWay).toContain('closed');
    await expect(closed.call('createMemory', 1)).rejects.toThrow('closed');
  });

  it('lets the process end once its calls are answered, and no sooner, and reports nothing to anybody', async () => {
    const engine = new URL('../../dist/lib/engine/index.js', import.meta.url).href;
    const script = `
      import { compile, CpuDevice, tf } from '${engine}';
      const run = await compile(({ x }) => ({ y: tf.neg(x) }), { x: { shape: [1], dtype: 'float32' } }, { device: new CpuDevice() });
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
    expect(await collect(device.stream(counter, { upTo: 5 }))).toEqual([0, 1, 2, 3, 4]);
    expect(await collect(device.stream(counter, { upTo: 0 }))).toEqual([]);
  });

  it('ends when its reader leaves, and the worker goes on', async () => {
    const [before] = await collect(device.stream<number>(ended, {}));
    for await (const event of device.stream(counter, { upTo: 1_000_000 })) if (event === 2) break;
    expect(await collect(device.stream(ended, {}))).toEqual([before + 1]);
  });

  it('passes its error on', async () => {
    const failing = module('export async function* stream() { yield 1; throw new Error("no more"); }');
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const event of device.stream(failing, {})) seen.push(event);
    })();
    await expect(reading).rejects.toThrow('no more');
    expect(seen).toEqual([1]);
    await expect(collect(device.stream('file:///no/such/module.js', {}))).rejects.toThrow('no/such/module');
  });

  it('runs sessions without a message in between', async () => {
    const run = await compile(
      ({ x }) => ({ y: tf.add(x, x) }),
      { x: { shape: [1], dtype: 'float32' } },
      { device },
    );
    const doubling = module(`
      export async function* stream(thread, { session }) {
        let data = Float32Array.of(1);
        for (let i = 0; i < 3; i++) {
          data = (await thread.run(session, { x: { data, shape: [1] } }, {})).y;
          yield data[0];
        }
      }`);
    expect(await collect(device.stream(doubling, { session: run.handle }))).toEqual([2, 4, 8]);
    await run.dispose();
  });
});

const bytesOf = (array: ArrayBufferView): Buffer =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength);

describe('the memory that programs keep between runs', () => {
  it('is one for all devices of a process, and each may end first', async () => {
    const devices = [new CpuDevice(1), new CpuDevice(1)];
    const x = { shape: [3], dtype: 'float32' } as const;
    const open = (each: CpuDevice) =>
      compile((w) => ({ y: tf.square(tf.add(w.x, 1)) }), { x }, { device: each, keepsRoom: true });
    const square = async (run: Awaited<ReturnType<typeof open>>) =>
      Array.from((await run({ x: Float32Array.of(0, 1, 2) })).y);
    const [first, second] = [await open(devices[0]), await open(devices[1])];
    expect([await square(first), await square(second)]).toEqual([
      [1, 4, 9],
      [1, 4, 9],
    ]);
    await first.dispose();
    expect(await square(second)).toEqual([1, 4, 9]);
    const third = await open(devices[1]);
    expect(await square(third)).toEqual([1, 4, 9]);
    await second.dispose();
    await third.dispose();
    const again = await open(devices[0]);
    expect(await square(again)).toEqual([1, 4, 9]);
    await Promise.all(devices.map((each) => each.close()));
  });
});
