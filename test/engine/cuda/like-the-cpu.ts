/** What a device of CUDA's must compute as the CPU device does; for the GPU, and for the same code above the process's memory. */
import { expect, it } from 'vitest';
import { trainDpo, type DpoEvent } from '../../../lib/dpo/trainer.js';
import type { CudaOptions } from '../../../lib/engine/devices/cuda/cuda.js';
import { CpuDevice, type Device } from '../../../lib/engine/index.js';
import type { DeferredTensor } from '../../../lib/engine/host-tensor.js';
import type { TrainingSnapshot } from '../../../lib/train/snapshot.js';
import { packPrompt } from '../../../lib/policy/pack.js';
import { openSampler } from '../../../lib/policy/sample.js';
import { uniformStream } from '../../../lib/random.js';
import { randomPairs, OPTIONS } from '../../dpo/random-pairs.js';
import { nodesThatRan } from '../../support/profile.js';
import { copyWeights, randomPolicy } from '../../support/random-policy.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const { architecture, config, weights: initial } = randomPolicy(8, { initStd: 0.2 });
const pairs = randomPairs(config, 6);
type Step = Extract<DpoEvent, { type: 'step' }>;

interface Trained {
  metrics: Step['metrics'][];
  weights: Map<string, { data: Float32Array }>;
}

/** Steps of DPO with accumulation. */
export async function train(device: Device, options: Partial<typeof OPTIONS> = {}): Promise<Trained> {
  const weights = copyWeights(initial);
  const metrics: Step['metrics'][] = [];
  const training = { ...OPTIONS, epochs: 2, gradientAccumulationSteps: 2, batchSize: 1, ...options, device };
  for await (const event of trainDpo({ architecture, config, weights }, pairs, training))
    if (event.type === 'step') metrics.push(event.metrics);
  return { metrics, weights };
}

/** What a training leaves that stops after a step, read from the device. */
async function snapshotAfter(device: Device, at: number): Promise<TrainingSnapshot> {
  let taken: TrainingSnapshot | undefined;
  const abort = new AbortController();
  const interrupted = train(device, {
    signal: abort.signal,
    async afterStep(step, { steps, tensors }) {
      if (step !== at) return;
      const copies: [string, DeferredTensor][] = [];
      for (const [name, tensor] of tensors) {
        const data = (await tensor.read()).slice();
        copies.push([name, { ...tensor, read: () => Promise.resolve(data) }]);
      }
      taken = { steps, tensors: new Map(copies) };
      abort.abort(new Error('interrupted'));
    },
  });
  await expect(interrupted).rejects.toThrow('interrupted');
  return taken!;
}

/** Bytes of the process's memory, once what the device's worker no longer needs is collected. */
export async function hostMemory(device: Device): Promise<number> {
  for await (const rss of device.stream<number>(COLLECTING, {})) return rss;
  throw new Error('the worker said nothing');
}
const COLLECTING = `data:text/javascript,${encodeURIComponent(`
  import { setFlagsFromString } from 'node:v8';
  import { runInNewContext } from 'node:vm';
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc');
  export async function* stream() { collectGarbage(); yield process.memoryUsage().rss; }`)}`;

/** The codes of seeded completions of three prompts. */
export async function sample(device: Device, maxNewTokens = 100): Promise<string[]> {
  const policy = randomPolicy(2, { initStd: 0.2, positions: 160 });
  const prompts = [
    [1, 2, 3, 4, 5, 6],
    [7, 8, 9],
    [0, 19, 0, 19, 3],
  ].map((codes) => packPrompt(policy, 'faster', codes));
  const options = { temperature: 1, topK: 0, topP: 1, samplesPerPrompt: 8, seed: 3, maxNewTokens };
  const sampler = openSampler(policy, device);
  const completions: string[] = [];
  // The second time the device has seen all shapes and addresses.
  for (let time = 0; time < 2; time++)
    for await (const event of sampler.sample(prompts, options))
      if (event.type === 'completion')
        completions.push(`${time} ${event.promptIndex} ${event.sampleIndex}: ${event.codes.join(' ')}`);
  await sampler.release();
  return completions.sort();
}

/**
 * Names of nodes that another provider than this one runs in a training and in sampling, copies between the two included ("MatMul_12 by
 * CPUExecutionProvider"), and how many nodes run. Launch by launch: a profile tells of no CUDA graph.
 */
export async function nodesElsewhere(
  open: (options: CudaOptions) => Promise<Device>,
  provider: 'CUDAExecutionProvider' | 'CPUExecutionProvider',
): Promise<{ count: number; elsewhere: string[] }> {
  const profiles = temporaryFolder();
  const device = await open({ profiles, graphs: false });
  await train(device, { epochs: 1 });
  await sample(device);
  await device.close();
  const nodes = nodesThatRan(profiles);
  const elsewhere = nodes.filter((node) => node.provider !== provider || node.name.startsWith('Memcpy'));
  return { count: nodes.length, elsewhere: elsewhere.map((node) => `${node.name} by ${node.provider}`) };
}

/** @param open opens the device, for each test anew; `tolerance` is relative, of an L2 norm */
export function itComputesLikeTheCpu(open: () => Promise<Device>, tolerance: number): void {
  const onBoth = async <Result>(work: (device: Device) => Promise<Result>) => {
    const [cpu, device] = [new CpuDevice(), await open()];
    try {
      return [await work(cpu), await work(device)] as const;
    } finally {
      await device.close();
      await cpu.close();
    }
  };

  it('trains: losses, norms and weights of 6 steps', async () => {
    const [expected, actual] = await onBoth(train);
    expect(actual.metrics).toHaveLength(6);
    for (const [step, metrics] of actual.metrics.entries())
      for (const [name, value] of Object.entries(metrics)) {
        const wanted = expected.metrics[step][name as keyof typeof metrics]!;
        expect(Math.abs(value - wanted), `${name} of step ${step}`).toBeLessThanOrEqual(
          1e-5 + 100 * tolerance * Math.abs(wanted),
        );
      }
    for (const [name, { data }] of actual.weights)
      if (!name.endsWith('k_proj.bias'))
        expect(distance(data, expected.weights.get(name)!.data), name).toBeLessThan(100 * tolerance);
  });

  it('goes on from a snapshot, on a device that is opened anew, to the same bits', async () => {
    const on = async <Result>(work: (device: Device) => Promise<Result>) => {
      const device = await open();
      try {
        return await work(device);
      } finally {
        await device.close();
      }
    };
    const whole = await on((device) => train(device));
    const resumeFrom = await on((device) => snapshotAfter(device, 2));
    const resumed = await on((device) => train(device, { resumeFrom }));
    expect(resumed.metrics).toEqual(whole.metrics.slice(2));
    expect([...resumed.weights]).toEqual([...whole.weights]);
  });

  it('samples: the same ids of the same seed, in batches, over several lengths of the cache', async () => {
    const [expected, actual] = await onBoth((device) => sample(device));
    expect(actual).toHaveLength(48);
    expect(actual).toEqual(expected);
    // The cache is fed 64 positions at once: some are longer.
    expect(Math.max(...actual.map((codes) => codes.split(' ').length))).toBeGreaterThan(70);
  });

  it('takes AdamW’s steps on the same gradients, accumulated and not', async () => {
    const shapes = [['a', [300]], ['b', [7, 11]], ['c', []]] as const; // prettier-ignore
    const [expected, actual] = await onBoth(async (device) => {
      const draw = uniformStream(4);
      const optimizer = await device.openOptimizer(shapes);
      const random = (length: number) => Float32Array.from({ length }, () => draw() - 0.5);
      for (const tensor of optimizer.parameters.values())
        await device.write(tensor, random(tensor.shape.reduce((product, size) => product * size, 1)));
      const norms: number[] = [];
      for (let step = 1; step <= 4; step++) {
        for (let batch = 0; batch < step; batch++) {
          for (const tensor of optimizer.gradients.values())
            await device.write(tensor, random(tensor.shape.reduce((product, size) => product * size, 1)));
          if (step > 1) await optimizer.accumulate();
        }
        norms.push(await optimizer.sumOfSquares());
        await optimizer.step({ gradientScale: 0.7, decay: 0.999, oneMinusBeta1: 0.1, beta2: 0.99, oneMinusBeta2: 0.01, root: Math.sqrt(1 - 0.99 ** step), epsilon: 1e-8, step: 1e-2 / (1 - 0.9 ** step) }); // prettier-ignore
      }
      const read: Record<string, number[]> = {};
      for (const kind of ['parameters', 'means', 'squares'] as const)
        for (const [name, tensor] of optimizer[kind])
          read[`${kind} ${name}`] = [...(await device.read(tensor))];
      await optimizer.release();
      return { norms, read };
    });
    // The same float32 operations in the same order.
    expect(actual.read).toEqual(expected.read);
    actual.norms.forEach((norm, step) => expect(norm / expected.norms[step]).toBeCloseTo(1, 12));
  });
}

function distance(a: Float32Array, b: Float32Array): number {
  const difference = Math.hypot(...a.map((value, i) => value - b[i]));
  return difference / Math.max(Math.hypot(...b), 1e-12);
}
