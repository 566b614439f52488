/** Training and sampling by the CUDA device's code, on ONNX Runtime's CPU provider and the process's memory. */
import { describe, expect, it } from 'vitest';
import { compile, tf } from '../../../lib/engine/index.js';
import { canRunHostCuda, openHostCuda } from '../../support/host-cuda.js';
import { hostMemory, itComputesLikeTheCpu, nodesElsewhere, sample, train } from './like-the-cpu.js';

describe.skipIf(!canRunHostCuda)(
  'the CUDA device, above the process’s memory, computes as the CPU does',
  () => {
    itComputesLikeTheCpu(() => openHostCuda(), 1e-6);

    it('on the provider that it is given: every node of a training and of sampling', async () => {
      const here = await nodesElsewhere(openHostCuda, 'CPUExecutionProvider');
      expect(here.elsewhere).toEqual([]);
      // The same of what the GPU's test expects: there each of these is a fault, and is named.
      const { count, elsewhere } = await nodesElsewhere(openHostCuda, 'CUDAExecutionProvider');
      expect(count).toBeGreaterThan(500);
      expect(elsewhere).toHaveLength(count);
      expect(elsewhere).toContainEqual(expect.stringMatching(/^Softmax.* by CPUExecutionProvider$/));
    });

    it('to the same bits twice', async () => {
      const runs: unknown[] = [];
      for (let time = 0; time < 2; time++) {
        const device = await openHostCuda();
        const { metrics, weights } = await train(device);
        runs.push([metrics, [...weights], await sample(device)]);
        await device.close();
      }
      expect(runs[1]).toEqual(runs[0]);
    });
  },
);

describe.skipIf(!canRunHostCuda)('200 steps and more', () => {
  it('leave no memory behind, and what is collected breaks nothing', async () => {
    const device = await openHostCuda();
    const optimizer = await device.openOptimizer([['w', [64, 64]]]);
    const program = await compile(
      ({ w, x, ids }) => {
        const loss = (weights: typeof w) =>
          tf.reshape(tf.sum(tf.square(tf.gather(tf.matMul(x, weights), ids))), []);
        const { value, grads } = tf.valueAndGrads((...tensors) => loss(tensors[0]))([w]);
        return { value, gradient: grads[0] };
      },
      {
        w: { shape: [64, 64], dtype: 'float32' },
        x: { shape: [32, 64], dtype: 'float32' },
        ids: { shape: [48], dtype: 'int32' },
      },
      { device },
    );
    const [w, gradient] = [optimizer.parameters.get('w')!, optimizer.gradients.get('w')!];
    await device.write(
      w,
      Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i)),
    );
    const x = Float32Array.from({ length: 2048 }, (_, i) => Math.cos(i));
    const ids = Int32Array.from({ length: 48 }, (_, i) => i % 20);
    let value = 0;
    const step = async () => {
      value = (await program({ w, x, ids }, { gradient })).value[0];
      await optimizer.sumOfSquares();
      await optimizer.step({ gradientScale: 1, decay: 1, oneMinusBeta1: 0.1, beta2: 0.999, oneMinusBeta2: 0.001, root: 1, epsilon: 1e-8, step: 1e-3 }); // prettier-ignore
      // A decoder binds other places in every run.
      if (Math.random() < 0.2) await (await device.allocate([['a', [1000]]])).release();
    };
    for (let i = 0; i < 200; i++) await step();
    const [before, first] = [await hostMemory(device), value];
    for (let i = 0; i < 400; i++) await step();
    const after = await hostMemory(device);
    expect(value).toBeLessThan(first);
    expect((after - before) / 2 ** 20).toBeLessThan(8);
    await program.dispose();
    await optimizer.release();
    await device.close();
  });
});
