/** The CUDA device on ONNX Runtime's CPU provider and the process's memory: all of its code but the driver's functions. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCudaWorker, type CudaDevice } from '../../../lib/engine/devices/cuda/cuda.js';
import { compile, CpuDevice, EngineError, partOf, tf } from '../../../lib/engine/index.js';
import { isPlainError } from '../../../lib/plain-error.js';
import { canRunHostCuda, openHostCuda } from '../../support/host-cuda.js';

const values = Float32Array.of(1, 2, 3, 4, 5, 6);
const module = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;

describe.skipIf(!canRunHostCuda)('the CUDA device', () => {
  let device: CudaDevice;
  beforeAll(async () => {
    device = await openHostCuda();
  });
  afterAll(() => device.close());

  const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const });

  it('says what computes', () => {
    expect(device.name).toBe('cuda');
    expect(device.description).toBe("the process's memory by CUDA, float32");
    expect(device.mostNumbers).toBe(2 ** 29);
  });

  it('keeps tensors side by side at multiples of 256 bytes, zeroed, and what is written to them', async () => {
    const { tensors, release } = await device.allocate([
      ['a', [5]],
      ['b', [2, 3]],
      ['c', []],
    ]);
    expect([...tensors.values()].map(({ start }) => 4 * start)).toEqual([0, 256, 512]);
    const [a, b, c] = ['a', 'b', 'c'].map((name) => tensors.get(name as 'a')!);
    expect(await device.read(b)).toEqual(new Float32Array(6));
    await device.write(b, values);
    expect(await device.read(b)).toEqual(values);
    expect(await device.read(partOf(b, 1, [1, 3]))).toEqual(Float32Array.of(4, 5, 6));
    await device.write(c, Float32Array.of(7));
    await device.clear(b);
    for (const [tensor, held] of [
      [a, new Float32Array(5)],
      [b, new Float32Array(6)],
      [c, Float32Array.of(7)],
    ] as const)
      // prettier-ignore
      expect(await device.read(tensor)).toEqual(held);
    await expect(device.write(b, new Float32Array(200))).rejects.toThrow('out of bounds');
    await release();
    await expect(device.read(a)).rejects.toThrow('was released');
  });

  it('runs programs on arrays and on tensors, whose outputs come back or go where they are wanted', async () => {
    const { tensors, release } = await device.allocate([
      ['x', [2, 3]],
      ['sum', [2, 3]],
    ]);
    const [x, sum] = [tensors.get('x')!, tensors.get('sum')!];
    const run = await compile(
      (inputs) => ({ sum: tf.add(inputs.x, inputs.y), product: tf.mul(inputs.x, inputs.y) }),
      { x: float(2, 3), y: float(2, 3) },
      { device },
    );
    await device.write(x, values);
    expect(await run({ x, y: values }, { sum })).toEqual({ product: values.map((value) => value ** 2) });
    expect(await device.read(sum)).toEqual(values.map((value) => 2 * value));
    // Where a program reads what it writes, the reading comes first.
    await run({ x: sum, y: values }, { sum, product: x });
    expect(await device.read(sum)).toEqual(values.map((value) => 3 * value));
    expect(await device.read(x)).toEqual(values.map((value) => 2 * value ** 2));
    // What an earlier run was given is forgotten.
    await expect(device.run(run.handle!, { x: { data: values, shape: [2, 3] } }, {})).rejects.toThrow(
      'input "y" is missing',
    );
    await expect(run({ x, y: values }, { sum: partOf(sum, 0, [3, 2]) })).rejects.toThrow(
      'invalid dimensions',
    );
    expect((await run({ x: values, y: values })).sum).toEqual(values.map((value) => 2 * value));
    await run.dispose();
    await expect(device.run(run.handle!, {}, {})).rejects.toThrow('was unloaded');
    await release();
  });

  it('gives outputs of every kind and shape, also those that only a run decides', async () => {
    const run = await compile(
      ({ x }) => ({ half: tf.mul(x, 0.5), total: tf.sum(x, 1), big: tf.cast(tf.greater(x, 3), 'int32') }),
      { x: { ...float(4, 2), growingAxis: 0 } },
      { device },
    );
    const { tensors, release } = await device.allocate([['x', [4, 2]]]);
    const x = tensors.get('x')!;
    await device.write(x, Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    // Each length twice: the second run knows the shapes of the first.
    for (const rows of [1, 3, 1, 3, 4, 4]) {
      const { half, total, big } = await run({ x: partOf(x, 0, [rows, 2]) });
      expect(half).toEqual(Float32Array.of(0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4).slice(0, 2 * rows));
      expect(total).toEqual(Float32Array.of(3, 7, 11, 15).slice(0, rows));
      expect(big).toEqual(Int32Array.of(0, 0, 0, 1, 1, 1, 1, 1).slice(0, 2 * rows));
    }
    await run.dispose();
    await release();
  });

  it('extends a cache that the same run reads', async () => {
    const { tensors, release } = await device.allocate([['cache', [4, 2]]]);
    const cache = tensors.get('cache')!;
    const run = await compile(
      ({ x, row }) => ({ next: tf.add(tf.sum(x, 0, true), row), seen: tf.max(x) }),
      { x: { ...float(4, 2), growingAxis: 0 }, row: float(1, 2) },
      { device },
    );
    const seen: number[] = [];
    for (let position = 0; position < 4; position++) {
      const outputs = await run(
        { x: cache, row: Float32Array.of(1, 2) },
        { next: partOf(cache, position, [1, 2]) },
      );
      seen.push(outputs.seen[0]);
    }
    expect(await device.read(cache)).toEqual(Float32Array.of(1, 2, 2, 4, 4, 8, 8, 16));
    expect(seen).toEqual([0, 2, 4, 8]);
    await run.dispose();
    await release();
  });

  it('runs a generator beside itself, which runs programs', async () => {
    const run = await compile(({ x }) => ({ y: tf.add(x, x) }), { x: float(1) }, { device });
    const doubling = module(`
      export async function* stream(thread, { program }) {
        let data = Float32Array.of(1);
        for (let i = 0; i < 3; i++) {
          data = (await thread.run(program, { x: { data, shape: [1] } }, {})).y;
          yield data[0];
        }
      }`);
    const seen: number[] = [];
    for await (const event of device.stream<number>(doubling, { program: run.handle })) seen.push(event);
    expect(seen).toEqual([2, 4, 8]);
    await run.dispose();
  });

  it('says of a model that is none what ONNX Runtime says, and lives on', async () => {
    const failure = await device.load(Uint8Array.of(1, 2, 3)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(EngineError);
    expect((failure as Error).message).toContain('protobuf parsing failed');
    expect((await compileAndRun(device))[0]).toBe(14);
  });

  it('refuses what does not fit beside what is there, in a sentence that says what would', async () => {
    const { release } = await device.allocate([['half', [2 ** 28]]]);
    const what = 'a copy of the weights';
    expect(() => device.checkAllocation([[2 ** 27]], what)).not.toThrow();
    const sentence = `${what} takes 1.20 GiB, but 1.00 GiB of the GPU's memory are free`;
    expect(() => device.checkAllocation([[322_122_547]], what)).toThrow(sentence);
    await expect(device.allocate([['a', [322_122_547]]], what)).rejects.toThrow(sentence);
    const large =
      "training a model of 100 million parameters (at most 53 million can be trained) takes 1.86 GiB, but 1.00 GiB of the GPU's memory";
    expect(() => device.checkOptimizer([[100_000, 1000]])).toThrow(large);
    await expect(device.openOptimizer([['p', [100_000, 1000]]])).rejects.toThrow(large);
    expect(() => device.checkOptimizer([[50_000, 1000]])).not.toThrow();
    await release();
    // What was freed may be kept for the next of its size, and counts as free.
    expect(() => device.checkOptimizer([[100_000, 1000]])).not.toThrow();
  });

  it('computes beside the CPU device in one process', async () => {
    const cpu = new CpuDevice(1);
    const x = Float32Array.from({ length: 64 * 64 }, (_, i) => Math.sin(i));
    const results = [];
    for (const on of [cpu, device, cpu]) {
      const run = await compile(
        (w) => ({ y: tf.softmax(tf.matMul(w.x, w.x)) }),
        { x: float(64, 64) },
        { device: on },
      );
      results.push((await run({ x })).y);
      await run.dispose();
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    await cpu.close();
  });

  it('that has failed says so, and frees nothing from then on, which would end the process', async () => {
    const open = `
      import { openCudaWorker } from '${new URL('../../../dist/lib/engine/devices/cuda/cuda.js', import.meta.url).href}';
      import { compile, tf } from '${new URL('../../../dist/lib/engine/index.js', import.meta.url).href}';
      const worker = '${new URL('../../support/failed-gpu-worker.mjs', import.meta.url).href}';
      const device = await openCudaWorker(worker, { tf32: false, orderedSums: true, graphs: true });
      const { release } = await device.allocate([['a', [4]]]);
      const run = await compile(({ x }) => ({ y: tf.neg(x) }), { x: { shape: [1], dtype: 'float32' } }, { device });
      console.log(await run({ x: Float32Array.of(1) }).catch(({ message }) => message));
      await run.dispose();
      await release();
      await device.close();
      console.log('closed');`;
    const { stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', open], {
      encoding: 'utf8',
    });
    expect([stdout, signal]).toEqual(['cuCtxSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS\nclosed\n', null]);
  });

  it('whose memory others have filled since it was counted says so in a plain error', async () => {
    await device.close();
    const worker = new URL('../../support/full-gpu-worker.mjs', import.meta.url).href;
    const full = await openCudaWorker(worker, { tf32: false, orderedSums: true, graphs: true });
    const failure = await full.allocate([['a', [4]]]).catch((error: unknown) => error as Error);
    expect(isPlainError(failure)).toBe(true);
    expect((failure as Error).message).toMatch(
      /^the GPU's memory is full \(cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY\): smaller batches/,
    );
    await full.close();
  });

  // The last one: it closes the device of all the others.
  it('is one in a process, closed with what it holds, and can be opened again', async () => {
    await device.close();
    const first = await openHostCuda();
    await expect(openHostCuda()).rejects.toThrow('a CUDA device is open already');
    const { tensors } = await first.allocate([['a', [3]]]);
    await compileAndRun(first);
    await first.openOptimizer([['p', [7]]]);
    await first.close();
    expect(first.isOpen).toBe(false);
    await expect(first.read(tensors.get('a')!)).rejects.toThrow('closed');
    const second = await openHostCuda();
    expect((await compileAndRun(second))[0]).toBe(14);
    await second.close();
  });
});

async function compileAndRun(device: CudaDevice): Promise<ArrayLike<number>> {
  const run = await compile(
    ({ x }) => ({ y: tf.sum(tf.square(x)) }),
    { x: { shape: [3], dtype: 'float32' } },
    { device },
  );
  const { y } = await run({ x: Float32Array.of(1, 2, 3) });
  await run.dispose();
  return y;
}
