/** The device on the backend in JavaScript, which every clone has, and on the native TensorFlow where that is installed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TensorFlowDevice } from '../../../lib/engine/devices/tensorflow/device.js';
import { EngineError, EngineStopped } from '../../../lib/engine/errors.js';
import { compile, partOf, tf, type AdamWUpdate, type Device } from '../../../lib/engine/index.js';
import { uniformStream } from '../../../lib/random.js';
import { device as cpu } from '../../support/device.js';
import { openTensorFlow, whyNoTensorFlow } from '../../support/tensorflow.js';

const inJavaScript = async (mostNumbers = 1e9): Promise<Device> =>
  new TensorFlowDevice({ backend: 'cpu', description: 'JavaScript', mostNumbers });

const values = Float32Array.of(1, 2, 3, 4, 5, 6);
const spec = (shape: number[]) => ({ shape, dtype: 'float32' as const });

describe.each([
  { backend: 'in JavaScript', open: () => inJavaScript(), isThere: true },
  { backend: 'native', open: openTensorFlow, isThere: whyNoTensorFlow === undefined },
])('TensorFlow, $backend', ({ open, isThere }) => {
  if (!isThere) return it.skip('is not installed', () => undefined);
  let device: Device;
  beforeAll(async () => {
    await tf.setBackend('cpu');
    device = await open();
  });
  afterAll(() => device.close());

  describe('resident tensors', () => {
    it('start as zeros, and hold what is written, whatever becomes of the array', async () => {
      const { tensors, release } = await device.allocate([
        ['a', [5]],
        ['b', [2, 3]],
        ['c', []],
      ]);
      const b = tensors.get('b')!;
      expect([...tensors.values()].map(({ start }) => start)).toEqual([0, 5, 11]);
      expect(await device.read(b)).toEqual(new Float32Array(6));
      const data = values.slice();
      await device.write(b, data);
      data.fill(0);
      const read = await device.read(b);
      expect(read).toEqual(values);
      read.fill(0);
      expect(await device.read(b)).toEqual(values);
      expect(await device.read(tensors.get('a')!)).toEqual(new Float32Array(5));
      expect(await device.read(tensors.get('c')!)).toEqual(new Float32Array(1));
      await device.clear(b);
      expect(await device.read(b)).toEqual(new Float32Array(6));
      await release();
    });

    it('have parts that begin at a row', async () => {
      const { tensors, release } = await device.allocate([
        ['before', [2]],
        ['rows', [3, 2]],
      ]);
      const rows = tensors.get('rows')!;
      await device.write(rows, values);
      expect(await device.read(partOf(rows, 1, [2, 2]))).toEqual(Float32Array.of(3, 4, 5, 6));
      expect(await device.read(partOf(rows, 2, [2, 1]))).toEqual(Float32Array.of(5, 6));
      await device.write(partOf(rows, 1, [2]), Float32Array.of(7, 8));
      expect(await device.read(rows)).toEqual(Float32Array.of(1, 2, 7, 8, 5, 6));
      await device.clear(partOf(rows, 0, [2]));
      expect(await device.read(rows)).toEqual(Float32Array.of(0, 0, 7, 8, 5, 6));
      await release();
    });

    it('are read and written by programs, whose other outputs come back', async () => {
      const { tensors, release } = await device.allocate([
        ['x', [2, 3]],
        ['sum', [2, 3]],
      ]);
      const [x, sum] = [tensors.get('x')!, tensors.get('sum')!];
      const run = await compile(
        (inputs) => ({ sum: tf.add(inputs.x, inputs.y), product: tf.mul(inputs.x, inputs.y) }),
        { x: spec([2, 3]), y: spec([2, 3]) },
        { device },
      );
      expect(run.outputs.map(({ name, shape }) => ({ name, shape }))).toEqual([
        { name: 'sum', shape: [2, 3] },
        { name: 'product', shape: [2, 3] },
      ]);
      await device.write(x, values);
      expect(await run({ x, y: values }, { sum })).toEqual({ product: values.map((value) => value ** 2) });
      expect(await device.read(sum)).toEqual(values.map((value) => 2 * value));
      // The same place as input and output: a running sum.
      await run({ x: sum, y: values }, { sum, product: x });
      expect(await device.read(sum)).toEqual(values.map((value) => 3 * value));
      await run.dispose();
      await release();
    });

    it('are as they were fed, where a program gives its input back', async () => {
      const { tensors, release } = await device.allocate([['kept', [6]]]);
      const kept = tensors.get('kept')!;
      const run = await compile(
        ({ x, weights }) => ({ y: x, w: weights }),
        { x: spec([6]) },
        {
          device,
          constants: { weights: { shape: [6], data: values } },
        },
      );
      const data = values.slice();
      await run({ x: data }, { y: kept });
      data.fill(0);
      expect(await device.read(kept)).toEqual(values);
      expect(await run({ x: kept }, { w: kept })).toEqual({ y: values });
      expect(await run({ x: kept })).toEqual({ y: values, w: values });
      await run.dispose();
      expect(await device.read(kept)).toEqual(values);
      await release();
    });

    it('grow by a row a run', async () => {
      const { tensors, release } = await device.allocate([['cache', [4, 2]]]);
      const cache = tensors.get('cache')!;
      const run = await compile(
        ({ past, x }) => ({ next: x, total: tf.add(tf.sum(past, 0), x) }),
        { past: { ...spec([4, 2]), growingAxis: 0 }, x: spec([2]) },
        { device },
      );
      const totals: number[][] = [];
      for (let position = 0; position < 4; position++) {
        const past = partOf(cache, 0, [Math.max(1, position), 2]);
        const x = Float32Array.of(position + 1, 10);
        totals.push([...(await run({ past, x }, { next: partOf(cache, position, [2]) })).total]);
      }
      expect(totals).toEqual([
        [1, 10],
        [3, 20],
        [6, 30],
        [10, 40],
      ]);
      expect(await device.read(cache)).toEqual(Float32Array.of(1, 10, 2, 10, 3, 10, 4, 10));
      await run.dispose();
      await release();
    });
  });

  describe('a failing call is a fault, and leaves the device as it was', () => {
    it('of an output place of another size', async () => {
      const { tensors, release } = await device.allocate([['a', [7]]]);
      const run = await compile(({ x }) => ({ y: tf.neg(x) }), { x: spec([6]) }, { device });
      const tensorsBefore = tf.memory().numTensors;
      const failure = await run({ x: values }, { y: tensors.get('a')! }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(EngineError);
      expect((failure as Error).message).toBe('[6] does not fit into [7]');
      expect(tf.memory().numTensors).toBe(tensorsBefore);
      expect((await run({ x: values })).y[0]).toBe(-1);
      await run.dispose();
      await release();
    });

    it('of a tensor and of a program that are gone', async () => {
      const { tensors, release } = await device.allocate([['a', [1]]]);
      await release();
      await release();
      await expect(device.read(tensors.get('a')!)).rejects.toThrow('has been released');
      const run = await compile(({ x }) => ({ y: tf.neg(x) }), { x: spec([6]) }, { device });
      await run.dispose();
      await expect(run({ x: values })).rejects.toThrow('has been unloaded');
    });

    it('of a program that throws, when it is compiled', async () => {
      const broken = compile(({ x }) => ({ y: tf.reshape(x, [4]) }), { x: spec([2, 3]) }, { device });
      await expect(broken).rejects.toBeInstanceOf(EngineError);
    });
  });

  it('refuses a model that comes as ONNX, in a sentence', async () => {
    const failure = await device.load(new Uint8Array(1)).catch((error: Error) => error);
    expect((failure as Error).constructor).toBe(Error);
    expect((failure as Error).message).toMatch(/no ONNX models: .* CpuDevice/);
  });

  it('answers in order, lets the event loop turn between two runs, and leaves the backend of others alone', async () => {
    const [run, onCpu] = await Promise.all(
      [device, cpu].map((each) =>
        compile(({ x }) => ({ y: tf.add(tf.relu(x), 1) }), { x: spec([1]) }, { device: each }),
      ),
    );
    const order: string[] = [];
    const asked = [0, 1, 2].map(async (i) => {
      const { y } = await run({ x: Float32Array.of(i) });
      order.push(`run ${y[0]}`);
    });
    const turns = (async () => {
      for (let turn = 0; turn < 3; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
        order.push('turn');
      }
    })();
    expect((await onCpu({ x: Float32Array.of(4) })).y[0]).toBe(5);
    await Promise.all([...asked, turns]);
    expect(order.filter((each) => each !== 'turn')).toEqual(['run 1', 'run 2', 'run 3']);
    expect(order.indexOf('turn')).toBeLessThan(order.indexOf('run 3'));
    expect(tf.getBackend()).toBe('cpu');
    await Promise.all([run.dispose(), onCpu.dispose()]);
  });

  it('rejects the calls under way when it is closed, and all later ones, and holds nothing any more', async () => {
    const before = tf.memory().numTensors;
    const closed = await open();
    const run = await compile(
      ({ x, w }) => ({ y: tf.mul(x, w) }),
      { x: spec([6]) },
      {
        device: closed,
        constants: { w: { shape: [6], data: values } },
      },
    );
    const { tensors, release } = await closed.allocate([['a', [6]]]);
    const optimizer = await closed.openOptimizer([['w', [6]]]);
    await optimizer.accumulate();
    const underWay = run({ x: values }).catch((error: unknown) => error);
    await closed.close();
    expect(await underWay).toBeInstanceOf(EngineStopped);
    await expect(closed.read(tensors.get('a')!)).rejects.toThrow('has been closed');
    await expect(closed.stream('file:///none.js', {}).next()).rejects.toThrow('has been closed');
    await Promise.all([run.dispose(), release(), optimizer.release(), closed.close()]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('runs a loop over programs, and passes its error on as a fault', async () => {
    const module = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
    const run = await compile(({ x }) => ({ y: tf.add(x, x) }), { x: spec([1]) }, { device });
    const doubling = module(`
      export async function* stream(thread, { program, times }) {
        let data = Float32Array.of(1);
        for (let i = 0; i < times; i++) {
          data = (await thread.run(program, { x: { data, shape: [1] } }, {})).y;
          yield data[0];
        }
        throw new Error('no more');
      }`);
    const seen: number[] = [];
    const failure = await (async () => {
      for await (const event of device.stream<number>(doubling, { program: run.handle, times: 3 }))
        seen.push(event);
    })().catch((error: unknown) => error);
    expect(seen).toEqual([2, 4, 8]);
    expect(failure).toBeInstanceOf(EngineError);
    expect((failure as Error).message).toBe('no more');
    await run.dispose();
  });

  it('takes the steps of AdamW that the CPU device takes, also of summed gradients', async () => {
    const uniform = uniformStream(5);
    const random = (size: number, scale: number) =>
      Float32Array.from({ length: size }, () => (uniform() - 0.5) * scale);
    const shapes: [string, number[]][] = [
      ['a', [3, 700]],
      ['b', [1024]],
      ['c', []],
    ];
    const sizes = new Map([
      ['a', 2100],
      ['b', 1024],
      ['c', 1],
    ]);
    const before = tf.memory().numTensors;
    const both = await Promise.all(
      [device, cpu].map(async (each) => ({ each, optimizer: await each.openOptimizer(shapes) })),
    );
    const write = async (region: 'parameters' | 'gradients', scale: number) => {
      for (const [name, size] of sizes) {
        const data = random(size, scale);
        for (const { each, optimizer } of both) await each.write(optimizer[region].get(name)!, data);
      }
    };
    await write('parameters', 2);
    for (let step = 1; step <= 6; step++) {
      await write('gradients', 10 ** -step);
      if (step % 2 === 0) {
        for (const { optimizer } of both) await optimizer.accumulate();
        await write('gradients', 10 ** -step);
        for (const { optimizer } of both) await optimizer.accumulate();
      }
      const [sum, expected] = await Promise.all(both.map(({ optimizer }) => optimizer.sumOfSquares()));
      expect(sum / expected).toBeCloseTo(1, 6);
      const update: AdamWUpdate = {
        gradientScale: 0.5,
        decay: step < 3 ? 1 : 0.99,
        oneMinusBeta1: 0.1,
        beta2: 0.999,
        oneMinusBeta2: 0.001,
        root: Math.sqrt(1 - 0.999 ** step),
        epsilon: 1e-8,
        step: 0.01 / (1 - 0.9 ** step),
      };
      for (const { optimizer } of both) await optimizer.step(update);
    }
    for (const region of ['parameters', 'means', 'squares'] as const) {
      for (const name of sizes.keys()) {
        const [actual, expected] = await Promise.all(
          both.map(({ each, optimizer }) => each.read(optimizer[region].get(name)!)),
        );
        const worst = Math.max(...actual.map((value, i) => Math.abs(value - expected[i])));
        const largest = Math.max(...expected.map(Math.abs));
        expect(worst / largest, `${region} of ${name}`).toBeLessThan(1e-6);
      }
    }
    for (const { optimizer } of both) await optimizer.release();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('says of a gradient that is not finite that its norm is none', async () => {
    const optimizer = await device.openOptimizer([['w', [2000]]]);
    const gradient = new Float32Array(2000);
    for (const value of [NaN, Infinity]) {
      gradient[1500] = value;
      await device.write(optimizer.gradients.get('w')!, gradient);
      expect(await optimizer.sumOfSquares()).toBe(value);
    }
    await optimizer.release();
  });
});

it('refuses what its memory does not hold, in a sentence', async () => {
  const device = await inJavaScript(1e6);
  expect(() => device.checkOptimizer([[1000, 100], [100_000]])).not.toThrow();
  expect(() => device.checkOptimizer([[1000, 1000]])).toThrow(
    'training a model of 1 million parameters (at most 0 million can be trained) takes 0.02 GiB, but there are 0.00 GiB of memory',
  );
  await expect(device.openOptimizer([['w', [300_000]]])).rejects.toThrow('of memory');
  await expect(device.allocate([['w', [2000, 1000]]], 'a copy')).rejects.toThrow(
    'a copy takes 0.01 GiB, but there are 0.00 GiB of memory',
  );
  await device.close();
});
