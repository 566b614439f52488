import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice } from '../../lib/engine/index.js';
import { ownMemory } from '../../lib/engine/devices/thread/owned.js';

const module = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;

describe('a message that owns its memory', () => {
  const buffer = new ArrayBuffer(4000);
  const part = new Float32Array(buffer, 400, 3).fill(2);

  it('holds a copy of a part of a buffer, which moves', () => {
    const message = { args: [1, 'x', null, { part }, new Map([['also', part]])], undefined };
    const { owned, moved } = ownMemory(message);
    expect(owned).toEqual(message);
    expect(moved.map(({ byteLength }) => byteLength)).toEqual([12, 12]);
    expect((owned.args[3] as { part: Float32Array }).part.buffer).toBe(moved[0]);
    expect(part.buffer).toBe(buffer);
  });

  it('leaves arrays that are all of their buffer, shared ones, and objects of classes as they are', () => {
    const whole = new Int32Array(3);
    const shared = new Uint8Array(new SharedArrayBuffer(8), 4);
    const date = new Date(0);
    const { owned, moved } = ownMemory([whole, shared, date]);
    expect(owned[0]).toBe(whole);
    expect(owned[1]).toBe(shared);
    expect(owned[2]).toBe(date);
    expect(moved).toEqual([]);
  });

  it('keeps the kind of an array; a Buffer becomes a Uint8Array', () => {
    const kinds = [Float32Array, Int32Array, BigInt64Array, Uint8Array].map((Kind) => new Kind(buffer, 8, 2));
    expect(ownMemory(kinds).owned).toEqual(kinds);
    const { owned } = ownMemory(Buffer.from(buffer, 8, 5));
    expect(owned.constructor).toBe(Uint8Array);
    expect(owned).toEqual(new Uint8Array(5));
  });
});

describe('between the threads', () => {
  const device = new CpuDevice(1);
  afterAll(() => device.close());
  const large = new Float32Array(100_000);
  const part = large.subarray(10, 13).fill(3);

  /** What arrived in the worker: bytes behind each array. */
  async function bytesBehind(args: unknown): Promise<unknown[]> {
    const seen: unknown[] = [];
    const source = `export async function* stream(thread, args) {
      for (const each of [args.part, ...args.list]) yield [each.length, each.buffer.byteLength];
    }`;
    for await (const each of device.stream(module(source), args)) seen.push(each);
    return seen;
  }

  it('no part of a large buffer brings the whole along, there or back', async () => {
    expect(await bytesBehind({ part, list: [part, new Float32Array(2)] })).toEqual([
      [3, 12],
      [3, 12],
      [2, 8],
    ]);
    const answering = module(
      'export async function* stream() { yield { view: new Float32Array(100000).subarray(5, 7) }; }',
    );
    for await (const { view } of device.stream<{ view: Float32Array }>(answering, {}))
      expect([view.length, view.buffer.byteLength]).toEqual([2, 8]);
  });

  it('what is written and read comes as it is, and the array of the caller stays', async () => {
    const { tensors, release } = await device.allocate([
      ['a', [3]],
      ['b', [70_000]],
    ]);
    await device.write(tensors.get('a')!, part);
    expect(part).toEqual(Float32Array.of(3, 3, 3));
    const read = await device.read(tensors.get('a')!);
    expect(read).toEqual(part);
    expect(read.buffer.byteLength).toBe(12);
    await release();
  });

  it('a model that is a part of a larger file leaves the file whole', async () => {
    const file = new Uint8Array(1000);
    const failure = await device.load(file.subarray(10, 20)).catch((error: Error) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(file.length).toBe(1000);
  });
});
