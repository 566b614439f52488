import { beforeAll, describe, expect, it } from 'vitest';
import { compile, tf, type InputSpec } from '../../lib/engine/index.js';
import { uniformStream } from '../../lib/random.js';
import { device } from '../support/device.js';

beforeAll(() => tf.setBackend('cpu'));

const on = (engine: 'onnx' | 'eager') => (engine === 'onnx' ? device : engine);

const matrix: InputSpec = { shape: [2, 3], dtype: 'float32' };
const indices: InputSpec = { shape: [4], dtype: 'int32' };
const sixValues = Float32Array.of(1, 2, 3, 4, 5, 6);

describe('compile', () => {
  it.each(['onnx', 'eager'] as const)('runs a program on typed arrays (%s)', async (engine) => {
    const run = await compile(
      ({ x, w }) => ({ product: tf.matMul(x, w), positive: tf.cast(tf.greater(x, 3), 'int32') }),
      { x: matrix, w: { shape: [3, 1], dtype: 'float32' } },
      { device: on(engine) },
    );
    expect(await run({ x: sixValues, w: Float32Array.of(1, 10, 100) })).toEqual({
      product: Float32Array.of(321, 654),
      positive: Int32Array.of(0, 0, 0, 1, 1, 1),
    });
    await run.dispose();
  });

  it.each(['onnx', 'eager'] as const)('takes constants instead of inputs (%s)', async (engine) => {
    const run = await compile(
      ({ x, w }) => ({ y: tf.matMul(x, w) }),
      { x: matrix },
      { device: on(engine), constants: { w: { shape: [3, 1], data: Float32Array.of(1, 10, 100) } } },
    );
    expect(await run({ x: sixValues })).toEqual({ y: Float32Array.of(321, 654) });
    await run.dispose();
  });

  it('gives inputs, constants and one tensor under two names as outputs', async () => {
    const run = await compile(
      ({ x, ids }) => {
        const doubled = tf.mul(x, 2);
        const made = { zeros: tf.zeros([2]), list: tf.tensor1d([3, 4]) };
        return { sameX: x, sameIds: ids, one: doubled, two: doubled, ...made };
      },
      { x: { shape: [2], dtype: 'float32' }, ids: { shape: [1], dtype: 'int32' } },
      { device },
    );
    expect(await run({ x: Float32Array.of(5, 6), ids: Int32Array.of(7) })).toEqual({
      sameX: Float32Array.of(5, 6),
      sameIds: Int32Array.of(7),
      one: Float32Array.of(10, 12),
      two: Float32Array.of(10, 12),
      zeros: Float32Array.of(0, 0),
      list: Float32Array.of(3, 4),
    });
    expect(run.outputs.map(({ name }) => name)).toEqual(['sameX', 'sameIds', 'one', 'two', 'zeros', 'list']);
    await run.dispose();
  });

  it('refuses an output with the name of an input', async () => {
    await expect(compile(({ x }) => ({ x: tf.neg(x) }), { x: matrix }, { device })).rejects.toThrow(
      '"x" is the name of an input and of an output',
    );
  });

  it('ignores the values of an input that nothing reads', async () => {
    const run = await compile(({ x }) => ({ y: tf.neg(x) }), { x: matrix, unread: indices }, { device });
    const feeds = { x: sixValues, unread: new Int32Array(4) };
    expect(await run(feeds)).toEqual({ y: sixValues.map((value) => -value) });
    await run.dispose();
  });

  it('leaves the backend and the number of live tensors as they were', async () => {
    const before = tf.memory().numTensors;
    const run = await compile(({ x }) => ({ y: tf.softmax(x) }), { x: matrix }, { device });
    expect(tf.getBackend()).toBe('cpu');
    expect(tf.memory().numTensors).toBe(before);
    await run.dispose();
  });
});

describe('feeds', () => {
  const compiled = (engine: 'onnx' | 'eager') =>
    compile(
      ({ x, ids }) => ({ y: tf.gather(x, ids, 1) }),
      { x: matrix, ids: indices },
      { device: on(engine) },
    );
  const ids = new Int32Array(4);

  it.each(['onnx', 'eager'] as const)(
    'must be all there, known, and of the declared size and type (%s)',
    async (engine) => {
      const run = await compiled(engine);
      await expect(run({ x: sixValues })).rejects.toThrow('input "ids" is missing');
      await expect(run({ x: sixValues, ids, z: ids })).rejects.toThrow(
        'unknown input "z"; inputs are x, ids',
      );
      await expect(run({ x: sixValues.subarray(1), ids })).rejects.toThrow(
        'input "x" must be float32 [2,3] (6 values), got 5 of float32',
      );
      await expect(run({ x: Int32Array.from(sixValues), ids })).rejects.toThrow(
        'input "x" must be float32 [2,3] (6 values), got 6 of int32',
      );
      await run.dispose();
    },
  );

  it('may be shorter along an axis that grows, where they live in the worker', async () => {
    const { tensors, release } = await device.allocate([['cache', [4, 2]]]);
    const cache = tensors.get('cache')!;
    await device.write(cache, Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    const run = await compile(
      ({ x, scale }) => ({ total: tf.sum(tf.mul(x, scale), 0) }),
      {
        x: { shape: [4, 2], dtype: 'float32', growingAxis: 0 },
        scale: { shape: [1], dtype: 'float32' },
      },
      { device },
    );
    const totals: number[][] = [];
    for (const rows of [1, 2, 3, 4]) {
      const { total } = await run({ x: { ...cache, shape: [rows, 2] }, scale: Float32Array.of(10) });
      totals.push([...total]);
    }
    expect(totals).toEqual([
      [10, 20],
      [40, 60],
      [90, 120],
      [160, 200],
    ]);
    await run.dispose();
    await release();
  });

  it('may live in the worker, where their shape must fit, and not in an eager program', async () => {
    const { tensors, release } = await device.allocate([
      ['fits', [2, 3]],
      ['differs', [3, 2]],
    ]);
    const onnx = await compiled('onnx');
    await device.write(tensors.get('fits')!, sixValues);
    expect((await onnx({ x: tensors.get('fits')!, ids })).y).toEqual(Float32Array.of(1, 1, 1, 1, 4, 4, 4, 4));
    await expect(onnx({ x: tensors.get('differs')!, ids })).rejects.toThrow('invalid dimensions');
    const eager = await compiled('eager');
    await expect(eager({ x: tensors.get('fits')!, ids })).rejects.toThrow(
      'pass an array to an eager program',
    );
    await onnx.dispose();
    await release();
  });
});

describe('a program that cannot be compiled', () => {
  it('fails while it is traced, naming the kernel', async () => {
    await expect(compile(({ x }) => ({ y: tf.atan(x) }), { x: matrix }, { device })).rejects.toThrow(
      "TensorFlow.js kernel 'Atan' has no ONNX mapping",
    );
  });

  it('names the kernel that only its gradient needs', async () => {
    const gradient = tf.grad((x) => tf.elu(x));
    await expect(compile(({ x }) => ({ y: gradient(x) }), { x: matrix }, { device })).rejects.toThrow(
      "TensorFlow.js kernel 'EluGrad' has no ONNX mapping",
    );
  });

  it('may not read values', async () => {
    const read = compile(({ x }) => ({ y: tf.mul(x, x.dataSync()[0]) }), { x: matrix }, { device });
    await expect(read).rejects.toThrow('dataSync() cannot be used inside compile()');
  });

  it('may not use a tensor made outside, which keeps its values', async () => {
    const outside = tf.tensor2d([[1], [10], [100]]);
    await expect(
      compile(({ x }) => ({ y: tf.matMul(x, outside) }), { x: matrix }, { device }),
    ).rejects.toThrow('a tensor of shape [3,1] was made on another backend: pass it as an input');
    expect(outside.dataSync()).toEqual(Float32Array.of(1, 10, 100));
    outside.dispose();
  });

  it('may not compile another', async () => {
    let inner: Promise<unknown> | undefined;
    const outer = await compile(
      ({ x }) => {
        inner = compile(({ z }) => ({ z }), { z: matrix }, { device }).catch((error: unknown) => error);
        return { y: tf.neg(x) };
      },
      { x: matrix },
      { device },
    );
    expect(await inner).toEqual(
      new TypeError('compile() was called inside a program that is being compiled'),
    );
    await outer.dispose();
  });

  it('names options that ONNX lacks', async () => {
    const x: InputSpec = { shape: [2, 3], dtype: 'float32' };
    await expect(
      compile(
        ({ x }) => ({ y: tf.gather(x, tf.tensor2d([[0], [1]], [2, 1], 'int32'), 1, 1) }),
        { x },
        { device },
      ),
    ).rejects.toThrow('tf.gather with batchDims cannot be compiled');
    await expect(
      compile(
        ({ x }) => ({
          y: tf.fused.matMul({ a: x as never, b: x as never, transposeB: true, activation: 'relu' }),
        }),
        { x },
        { device },
      ),
    ).rejects.toThrow('tf.fused.matMul with activation relu cannot be compiled');
    await expect(compile(({ x }) => ({ y: tf.cast(x, 'complex64') }), { x }, { device })).rejects.toThrow(
      'complex64 cannot be compiled',
    );
  });

  it('leaves the engine ready for the next', async () => {
    await compile(({ x }) => ({ y: tf.atan(x) }), { x: matrix }, { device }).catch(() => undefined);
    const run = await compile(({ x }) => ({ y: tf.neg(x) }), { x: matrix }, { device });
    expect((await run({ x: sixValues })).y[5]).toBe(-6);
    expect(tf.getBackend()).toBe('cpu');
    await run.dispose();
  });
});

describe('determinism', () => {
  it("gives gather's gradient with repeated indices the same bits in 50 runs", async () => {
    const rows = 5;
    const width = 32;
    const reads = 4000;
    const uniform = uniformStream(1);
    const run = await compile(
      ({ table, ids, dy }) => ({
        gradient: tf.grad((t) => tf.sum(tf.mul(tf.gather(t, ids), dy)))(table),
      }),
      {
        table: { shape: [rows, width], dtype: 'float32' },
        ids: { shape: [reads], dtype: 'int32' },
        dy: { shape: [reads, width], dtype: 'float32' },
      },
      { device },
    );
    const ids = Int32Array.from({ length: reads }, () => Math.floor(rows * uniform()));
    const dy = Float32Array.from({ length: reads * width }, () => uniform() - 0.5);
    const feeds = { table: new Float32Array(rows * width), ids, dy };
    const { gradient } = await run(feeds);
    const expected = new Float64Array(rows * width);
    dy.forEach((value, i) => (expected[ids[Math.floor(i / width)] * width + (i % width)] += value));
    gradient.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 3));
    for (let repeat = 0; repeat < 50; repeat++) expect((await run(feeds)).gradient).toEqual(gradient);
    await run.dispose();
  });
});
