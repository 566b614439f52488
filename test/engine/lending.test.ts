/** What programs read where the host has it, and what they are given. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { freeArrays } from '../../lib/engine/free-arrays.js';
import {
  compile,
  CpuDevice,
  partOf,
  tf,
  type ProgramConstant,
  type TensorProgram,
} from '../../lib/engine/index.js';

const device = new CpuDevice(1);
afterAll(() => device.close());

describe('constants of programs', () => {
  const [rows, width] = [3, 200];
  /** Whole numbers, whose sums are the same in each order. */
  const numbers = (size: number, factor: number) =>
    Float32Array.from({ length: size }, (_, i) => ((factor * i) % 11) - 5);
  const x = numbers(rows * width, 7);
  const inputs = { x: { shape: [rows, width], dtype: 'float32' } } as const;
  const product = (options: Omit<ProgramConstant, 'shape' | 'data'>, data: Float32Array, packs?: boolean) =>
    compile(({ x, w }) => ({ y: tf.matMul(x, w, false, true) }), inputs, {
      device,
      packs,
      constants: { w: { shape: [width, width], data, ...options } },
    });
  const expected = (data: Float32Array) =>
    tf.tidy(() =>
      tf.matMul(tf.tensor(x, [rows, width]), tf.tensor(data, [width, width]), false, true).dataSync(),
    );

  it.each([[undefined], [true], [false]])(
    'that are lent are read where they are, packed %s',
    async (packs) => {
      const data = numbers(width * width, 3);
      const wanted = expected(data);
      const run = await product({ memory: 'lent' }, data, packs);
      expect((await run({ x })).y).toEqual(wanted);
      // Whoever would free them meanwhile does not.
      await freeArrays([data]);
      expect((await run({ x })).y).toEqual(wanted);
      if (packs === false) {
        data.fill(0);
        expect((await run({ x })).y).toEqual(new Float32Array(rows * width));
      }
      await run.dispose();
      await freeArrays([data]);
      expect(data).toHaveLength(0);
    },
  );

  it("are the caller's again once the program is compiled, where nothing is said", async () => {
    const data = numbers(width * width, 3);
    const wanted = expected(data);
    const run = await product({}, data, false);
    await freeArrays([data]);
    expect((await run({ x })).y).toEqual(wanted);
    await run.dispose();
  });

  it('that are given are freed, and are no other program’s', async () => {
    const data = numbers(width * width, 3);
    const wanted = expected(data);
    const run = await product({ memory: 'given' }, data);
    expect(data).toHaveLength(0);
    expect((await run({ x })).y).toEqual(wanted);
    await expect(product({ memory: 'given' }, data)).rejects.toThrow(
      'constant w is empty, but has the shape [200,200]: its memory is freed',
    );
    await run.dispose();
  });

  it('that are lent beside those that are given are kept from the first moment on', async () => {
    const [lent, given] = [numbers(width * width, 3), numbers(width * width, 3)];
    const constants = {
      w: { shape: [width, width], data: lent, memory: 'lent' },
      g: { shape: [width, width], data: given, memory: 'given' },
    } as const;
    const compiling = compile(({ x, w, g }) => ({ y: tf.matMul(x, tf.sub(w, g)) }), inputs, {
      device,
      constants,
    });
    await freeArrays([lent]);
    const run = await compiling;
    expect(given).toHaveLength(0);
    expect((await run({ x })).y).toEqual(new Float32Array(rows * width));
    await run.dispose();
  });

  it('that are lent are given back when the device is closed, also in the middle of compiling', async () => {
    const data = numbers(width * width, 3);
    const own = new CpuDevice(1);
    const lends = (program: TensorProgram) =>
      compile(program, inputs, {
        device: own,
        constants: { w: { shape: [width, width], data, memory: 'lent' } },
      });
    await lends(({ x, w }) => ({ y: tf.matMul(x, w) }));
    const underWay = lends(({ x, w }) => ({ y: tf.matMul(x, tf.add(w, 1)) }));
    const refused = expect(underWay).rejects.toThrow("the engine's worker has been closed");
    await own.close();
    await refused;
    await freeArrays([data]);
    expect(data).toHaveLength(0);
  });
});

describe('what is read while its device is closed is given back', () => {
  const size = 1500;
  const data = new Float32Array(size * size);
  const spec = { shape: [size, size], dtype: 'float32' } as const;
  const program = ({ w }: Record<string, Tensor>) => ({ y: tf.sum(tf.matMul(tf.matMul(w, tf.neg(w)), w)) });

  it.each<[string, (own: CpuDevice) => Promise<{ run: Promise<unknown>; free(): Promise<void> }>]>([
    [
      'by its program',
      async (own) => {
        const constants = { w: { shape: spec.shape, data, memory: 'lent' } } as const;
        const run = await compile(program, {}, { device: own, packs: false, constants });
        return { run: run({}), free: () => run.dispose() };
      },
    ],
    [
      'by the tensors',
      async (own) => {
        const { tensors, release } = await own.lend([['w', { shape: [...spec.shape], data }]]);
        const run = await compile(program, { w: spec }, { device: own });
        return { run: run({ w: tensors.get('w')! }), free: release };
      },
    ],
  ])('%s only once its worker has ended', async (_, open) => {
    const own = new CpuDevice(1);
    const { run, free } = await open(own);
    const stopped = expect(run).rejects.toThrow("the engine's worker has been closed");
    const ended = vi.fn();
    void own.close().then(ended);
    await free();
    expect(ended).toHaveBeenCalled();
    await stopped;
  });

  it('by a program that is being made only once its worker has ended', async () => {
    const own = new CpuDevice(1);
    const constants = { w: { shape: spec.shape, data, memory: 'lent' } } as const;
    const compiling = compile(program, {}, { device: own, constants });
    const ended = vi.fn();
    void own.close().then(ended);
    await expect(compiling).rejects.toThrow("the engine's worker has been closed");
    expect(ended).toHaveBeenCalled();
  });
});

describe('tensors that are lent', () => {
  const values = Float32Array.of(1, 2, 3, 4, 5, 6);
  const program = ({ a, b }: Record<string, Tensor>) => ({ y: tf.add(tf.mul(a, 2), b) });
  const inputs = {
    a: { shape: [2, 3], dtype: 'float32' },
    b: { shape: [3], dtype: 'float32' },
  } as const;
  const lend = (on: CpuDevice, a: Float32Array, b: Float32Array) =>
    on.lend([
      ['a', { shape: [2, 3], data: a }],
      ['b', { shape: [3], data: b }],
    ]);

  it('are read by programs where they are, whole and in parts, until they are released', async () => {
    const [a, b] = [values.slice(), Float32Array.of(10, 20, 30)];
    const { tensors, release } = await lend(device, a, b.subarray(0, 3));
    const [lentA, lentB] = [tensors.get('a')!, tensors.get('b')!];
    const run = await compile(program, inputs, { device });
    expect([...(await run({ a: lentA, b: lentB })).y]).toEqual([12, 24, 36, 18, 30, 42]);
    a[0] = 100;
    await freeArrays([a, b]);
    expect([...(await run({ a: lentA, b: lentB })).y]).toEqual([210, 24, 36, 18, 30, 42]);
    expect([...(await run({ a: lentA, b: partOf(lentA, 1, [3]) })).y]).toEqual([204, 9, 12, 12, 15, 18]);
    expect(await device.read(partOf(lentA, 1, [3]))).toEqual(Float32Array.of(4, 5, 6));
    await release();
    await expect(run({ a: lentA, b: lentB })).rejects.toThrow('it was released, or is lent');
    await freeArrays([a, b]);
    expect([a, b].map(({ length }) => length)).toEqual([0, 0]);
    await run.dispose();
  });

  it('are not written to', async () => {
    const { tensors, release } = await lend(device, values.slice(), values.slice(3));
    await expect(device.write(tensors.get('a')!, values)).rejects.toThrow('is lent');
    await expect(device.clear(tensors.get('a')!)).rejects.toThrow('is lent');
    await release();
  });

  it('stay lent to one who has not released them, also where another has done so twice', async () => {
    const data = values.slice();
    const first = await lend(device, data, values.slice(3));
    const second = await lend(device, data, values.slice(3));
    await first.release();
    await first.release();
    await freeArrays([data]);
    expect(await device.read(second.tensors.get('a')!)).toEqual(values);
    await second.release();
  });

  it('have as many values as their shape says, and no program reads beyond them', async () => {
    await expect(device.lend([['a', { shape: [2, 4], data: values }]])).rejects.toThrow(
      'tensor a has 6 values for shape [2,4]',
    );
    const { tensors, release } = await device.lend([['a', { shape: [6], data: values }]]);
    const beyond = { ...tensors.get('a')!, start: 4, shape: [3] };
    await expect(device.read(beyond)).rejects.toThrow('[3] from number 4 on reaches beyond what is lent');
    const run = await compile(({ b }) => ({ y: tf.neg(b) }), { b: inputs.b }, { device });
    await expect(run({ b: beyond })).rejects.toThrow('reaches beyond what is lent');
    expect([...(await run({ b: { ...beyond, start: 3 } })).y]).toEqual([-4, -5, -6]);
    await run.dispose();
    await release();
  });

  it('are given back when the device is closed', async () => {
    const own = new CpuDevice(1);
    const data = values.slice();
    const { release } = await lend(own, data, values.slice(3));
    await own.close();
    await release();
    await freeArrays([data]);
    expect(data).toHaveLength(0);
  });
});
