/**
 * The CUDA device on a GPU, where there is one. SPEECH_DPO_REQUIRE_GPU=1 makes these tests mandatory; elsewhere they say that they are
 * skipped, and why.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dpoSteps } from '../../../bench/ours.js';
import { base } from '../../../bench/setting.js';
import { openCuda } from '../../../lib/engine/devices/cuda/cuda.js';
import { compile, partOf, tf, type Device } from '../../../lib/engine/index.js';
import { hostMemory, itComputesLikeTheCpu, nodesElsewhere, sample, train } from './like-the-cpu.js';

const missing = await openCuda().then(
  (device) => device.close(),
  (error: unknown) => (error as Error).message,
);
const isRequired = process.env.SPEECH_DPO_REQUIRE_GPU === '1';
if (missing !== undefined && !isRequired) console.warn(`the GPU's tests are skipped: ${missing}`);

/** Relative L2 of float32 on other kernels than the CPU's. */
const FLOAT32 = 1e-5;

describe.skipIf(missing !== undefined && !isRequired)('on the GPU', () => {
  it('a GPU answers', () => expect(missing).toBeUndefined());

  itComputesLikeTheCpu(() => openCuda(), FLOAT32);

  it('runs every node of a training and of sampling, and copies nothing to the CPU in between', async () => {
    const { count, elsewhere } = await nodesElsewhere(openCuda, 'CUDAExecutionProvider');
    expect(elsewhere).toEqual([]);
    expect(count).toBeGreaterThan(500);
  });

  it('captures every program of a training and of sampling as CUDA graphs', async () => {
    const device = await openCuda();
    await train(device);
    await sample(device);
    expect(device.takeNotices?.()).toEqual([]);
    await device.close();
  });

  it('the same seed gives the same bits, captured as CUDA graphs or not', async () => {
    const runs: unknown[] = [];
    for (const graphs of [true, true, false]) {
      const device = await openCuda({ graphs });
      const { metrics, weights } = await train(device, { epochs: 4 });
      runs.push([metrics, [...weights], await sample(device)]);
      await device.close();
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).toEqual(runs[0]);
  });

  describe('a program', () => {
    let device: Device;
    beforeAll(async () => {
      device = await openCuda();
    });
    afterAll(() => device.close());
    const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const });

    it('that is captured replays on what its inputs hold then, and adds to its own input once a run', async () => {
      const run = await compile(
        ({ total, x }) => ({ sum: tf.add(total, x), twice: tf.mul(x, 2) }),
        { total: float(4), x: float(4) },
        { device },
      );
      const { tensors, release } = await device.allocate([['total', [4]]]);
      const total = tensors.get('total')!;
      for (let i = 1; i <= 6; i++) {
        const { twice } = await run({ total, x: Float32Array.of(i, 0, -i, 1) }, { sum: total });
        expect([...twice]).toEqual([2 * i, 0, -2 * i, 2]);
      }
      expect([...(await device.read(total))]).toEqual([21, 0, -21, 6]);
      await run.dispose();
      await release();
    });

    it('with a cache that grows is captured for each length, and fed at other addresses runs there', async () => {
      const run = await compile(
        // Joined as a decoder's cache and its new row are: ONNX Runtime captures a copy of their sizes and places with each length.
        ({ cache, row }) => ({ next: row, sum: tf.sum(tf.concat([cache, row])) }),
        { cache: { ...float(128, 2), growingAxis: 0 }, row: float(1, 2) },
        { device },
      );
      const memories = [
        await device.allocate([['cache', [128, 2]]]),
        await device.allocate([['cache', [128, 2]]]),
      ];
      for (const { tensors } of [...memories, ...memories]) {
        const cache = tensors.get('cache')!;
        await device.clear(cache);
        let expected = 0;
        for (let position = 0; position < 128; position++) {
          const fed = partOf(cache, 0, [position < 64 ? 64 : 128, 2]);
          const { sum } = await run({ cache: fed, row: Float32Array.of(position, 1) }, { next: partOf(cache, position, [1, 2]) }); // prettier-ignore
          expected += position + 1;
          expect(sum[0]).toBe(expected);
        }
      }
      await run.dispose();
      for (const { release } of memories) await release();
    });

    it('runs 500 times without taking more of the GPU’s memory, nor of the process’s', async () => {
      const run = await compile(
        ({ w, x, ids }) => {
          const loss = (weights: typeof w) =>
            tf.reshape(tf.sum(tf.square(tf.gather(tf.matMul(x, weights), ids))), []);
          const { value, grads } = tf.valueAndGrads((...tensors) => loss(tensors[0]))([w]);
          return { value, gradient: grads[0] };
        },
        { w: float(512, 512), x: float(256, 512), ids: { shape: [400], dtype: 'int32' } },
        { device },
      );
      const optimizer = await device.openOptimizer([['w', [512, 512]]]);
      const feeds = {
        w: optimizer.parameters.get('w')!,
        x: Float32Array.from({ length: 256 * 512 }, (_, i) => Math.cos(i)),
        ids: Int32Array.from({ length: 400 }, (_, i) => i % 256),
      };
      await device.write(
        feeds.w,
        Float32Array.from({ length: 512 * 512 }, (_, i) => Math.sin(i)),
      );
      const step = async () => {
        await run(feeds, { gradient: optimizer.gradients.get('w')! });
        await optimizer.step({ gradientScale: 1, decay: 1, oneMinusBeta1: 0.1, beta2: 0.999, oneMinusBeta2: 0.001, root: 1, epsilon: 1e-8, step: 1e-4 }); // prettier-ignore
      };
      /** Bytes of the device that are taken. An allocation is what has it look. */
      const taken = async () => {
        await (await device.allocate([['a', [1]]])).release();
        return -device.freeBytes;
      };
      for (let i = 0; i < 50; i++) await step();
      const [before, onHost] = [await taken(), await hostMemory(device)];
      for (let i = 0; i < 500; i++) await step();
      expect((await taken()) - before).toBeLessThan(2 ** 24);
      expect((await hostMemory(device)) - onHost).toBeLessThan(2 ** 24);
      await optimizer.release();
      await run.dispose();
    });
  });

  it('trains the research code’s size on batches of 4 pairs in less than 12 GB', async () => {
    const device = await openCuda();
    const before = device.freeBytes;
    const step = dpoSteps({ ...base, batchSize: 4 }, device, 4);
    for (let i = 0; i < 4; i++) await step();
    await (await device.allocate([['a', [1]]])).release();
    const taken = before - device.freeBytes;
    await device.close();
    console.info(`base size, batches of 4 pairs: ${(taken / 1e9).toFixed(2)} GB of the GPU's memory`);
    expect(taken).toBeLessThan(12e9);
  });

  it('with TF32, and with sums in any order, trains as well', async () => {
    for (const options of [{ tf32: true }, { orderedSums: false }]) {
      const device = await openCuda(options);
      const { metrics } = await train(device);
      expect(metrics.at(-1)!.loss).toBeLessThan(metrics[0].loss);
      await device.close();
    }
  });
});
