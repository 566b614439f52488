/** The WebGPU device beside the CPU's, where an adapter answers. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { openWebGpu } from '../../../lib/engine/devices/webgpu/webgpu.js';
import { compile, partOf, tf, type Device, type DeviceOptimizer } from '../../../lib/engine/index.js';
import {
  loadPolicy,
  loadPrompts,
  openSampler,
  packCompletion,
  packPrompt,
  trainDpo,
} from '../../../lib/index.js';
import { findPackageRoot } from '../../../lib/package-root.js';
import { device as cpu } from '../../support/device.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { writeTinyModel } from '../../support/tiny-model.js';
import { webGpuOrSkip } from '../../support/webgpu.js';

const found = await webGpuOrSkip();
const gpu = found as Device;
afterAll(() => Promise.all([found?.close(), cpu.close()]));

const six = Float32Array.of(1, 2, 3, 4, 5, 6);

describe.skipIf(!found)('tensors', () => {
  it('start as zeros and hold what is written, as a whole and in parts', async () => {
    const { tensors, release } = await gpu.allocate([
      ['rows', [4, 3]],
      ['one', []],
    ]);
    const rows = tensors.get('rows')!;
    expect(await gpu.read(rows)).toEqual(new Float32Array(12));
    expect(await gpu.read(tensors.get('one')!)).toEqual(new Float32Array(1));
    await gpu.write(partOf(rows, 1, [2, 3]), six);
    expect(await gpu.read(rows)).toEqual(Float32Array.of(0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0));
    expect(await gpu.read(partOf(rows, 2, [3]))).toEqual(Float32Array.of(4, 5, 6));
    await gpu.clear(partOf(rows, 1, [3]));
    expect(await gpu.read(rows)).toEqual(Float32Array.of(0, 0, 0, 0, 0, 0, 4, 5, 6, 0, 0, 0));
    await gpu.clear(rows);
    expect(await gpu.read(rows)).toEqual(new Float32Array(12));
    await expect(gpu.write(rows, new Float32Array(13))).rejects.toThrow('out of bounds');
    await release();
    await expect(gpu.read(rows)).rejects.toThrow('released');
  });

  it('are read and written by programs: whole, in parts, and the same place as input and output', async () => {
    const { tensors, release } = await gpu.allocate([
      ['x', [2, 3]],
      ['sum', [2, 3]],
      ['rows', [4, 3]],
    ]);
    const [x, sum, rows] = ['x', 'sum', 'rows'].map((name) => tensors.get(name as 'x')!);
    const spec = { shape: [2, 3], dtype: 'float32' } as const;
    const run = await compile(
      (inputs) => ({ sum: tf.add(inputs.x, inputs.y), product: tf.mul(inputs.x, inputs.y) }),
      { x: spec, y: spec },
      { device: gpu },
    );
    await gpu.write(x, six);
    expect(await run({ x, y: six }, { sum })).toEqual({ product: six.map((value) => value ** 2) });
    expect(await gpu.read(sum)).toEqual(six.map((value) => 2 * value));
    await run({ x: sum, y: six }, { sum, product: x });
    expect(await gpu.read(sum)).toEqual(six.map((value) => 3 * value));
    expect(await gpu.read(x)).toEqual(six.map((value) => 2 * value ** 2));
    await run({ x: partOf(rows, 2, [2, 3]), y: six }, { sum: partOf(rows, 1, [2, 3]) });
    expect(await gpu.read(rows)).toEqual(Float32Array.of(0, 0, 0, ...six, 0, 0, 0));
    await run({ x: partOf(rows, 1, [2, 3]), y: six }, { sum: partOf(rows, 2, [2, 3]) });
    expect(await gpu.read(rows)).toEqual(Float32Array.of(0, 0, 0, 1, 2, 3, ...six.map((value) => 2 * value)));
    await run({ x: six, y: six }, { sum: partOf(rows, 2, [2, 3]), product: partOf(rows, 0, [2, 3]) });
    expect(await gpu.read(rows)).toEqual(
      Float32Array.of(...six.map((value) => value ** 2), ...six.map((value) => 2 * value)),
    );
    await run.dispose();
    await expect(run({ x: six, y: six })).rejects.toThrow('unloaded');
    await release();
  });

  it('grow: a program is fed the first rows of a cache and writes the next', async () => {
    const { tensors, release } = await gpu.allocate([['cache', [5, 2]]]);
    const cache = tensors.get('cache')!;
    const run = await compile(
      (inputs) => ({ next: tf.add(tf.sum(inputs.cache, 0, true), 1) }),
      { cache: { shape: [5, 2], dtype: 'float32', growingAxis: 0 } },
      { device: gpu },
    );
    for (let row = 1; row < 5; row++)
      await run({ cache: partOf(cache, 0, [row, 2]) }, { next: partOf(cache, row, [1, 2]) });
    expect(await gpu.read(cache)).toEqual(Float32Array.of(0, 0, 1, 1, 2, 2, 4, 4, 8, 8));
    await run.dispose();
    await release();
  });

  it('answers calls in their order, however many are asked at once', async () => {
    const { tensors, release } = await gpu.allocate([['x', [2, 3]]]);
    const x = tensors.get('x')!;
    const asked = [1, 2, 3].flatMap((factor) => [
      gpu.write(
        x,
        six.map((value) => factor * value),
      ),
      gpu.read(x),
    ]);
    const answers = (await Promise.all(asked)).filter(Boolean);
    expect(answers).toEqual([1, 2, 3].map((factor) => six.map((value) => factor * value)));
    await release();
  });
});

describe.skipIf(!found)('training', () => {
  it('has the same bits in every run, also where many rows of an embedding are added up', async () => {
    const [rows, width, count] = [5, 8, 64];
    const run = await compile(
      ({ table, ids, dy }) => ({
        gradient: tf.grad((x) => tf.sum(tf.mul(tf.gather(x, ids), dy)))(table),
      }),
      {
        table: { shape: [rows, width], dtype: 'float32' },
        ids: { shape: [count], dtype: 'int32' },
        dy: { shape: [count, width], dtype: 'float32' },
      },
      { device: gpu },
    );
    const feeds = {
      table: new Float32Array(rows * width),
      ids: Int32Array.from({ length: count }, (_, i) => (i * i) % rows),
      dy: Float32Array.from({ length: count * width }, (_, i) => Math.sin(i) * 10 ** (i % 5)),
    };
    const expected = new Float64Array(rows * width);
    feeds.dy.forEach(
      (value, i) => (expected[feeds.ids[Math.floor(i / width)] * width + (i % width)] += value),
    );
    const { gradient } = await run(feeds);
    gradient.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(0.1));
    for (let repeat = 0; repeat < 20; repeat++) expect(await run(feeds)).toEqual({ gradient });
    await run.dispose();
  });

  it('sums, accumulates and takes the steps that the CPU takes', async () => {
    const shapes = [
      ['matrix', [5, 7]],
      ['bias', [33]],
      ['kernel', [3, 2, 5]],
    ] as const;
    const update = {
      ...{ gradientScale: 0.5, decay: 0.99, oneMinusBeta1: 0.1, beta2: 0.999, oneMinusBeta2: 0.001 },
      ...{ root: Math.sqrt(0.001), epsilon: 1e-8, step: 0.1 },
    };
    const train = async (device: Device) => {
      const optimizer = await device.openOptimizer(shapes);
      const norms: number[] = [];
      const fill = async (tensors: DeviceOptimizer['gradients'], seed: number) => {
        for (const [name, tensor] of tensors) {
          const size = tensor.shape.reduce((a, b) => a * b);
          await device.write(
            tensor,
            Float32Array.from({ length: size }, (_, i) => Math.sin(seed + i + name.length)),
          );
        }
      };
      await fill(optimizer.parameters, 1);
      for (const seed of [2, 3]) {
        await fill(optimizer.gradients, seed);
        norms.push(await optimizer.sumOfSquares());
        await optimizer.step(update);
      }
      // Two micro-batches: their sum is the gradient of one step, and forgotten after it.
      for (const seed of [4, 5]) {
        await fill(optimizer.gradients, seed);
        await optimizer.accumulate();
      }
      norms.push(await optimizer.sumOfSquares());
      await optimizer.step(update);
      norms.push(await optimizer.sumOfSquares());
      await optimizer.accumulate();
      norms.push(await optimizer.sumOfSquares());
      const tensors = [optimizer.parameters, optimizer.means, optimizer.squares];
      const values = await Promise.all(
        tensors.flatMap((map) => [...map.values()].map((t) => device.read(t))),
      );
      await optimizer.release();
      return { norms, values: values.flatMap((each) => [...each]) };
    };
    const [expected, actual] = [await train(cpu), await train(gpu)];
    expected.norms.forEach((norm, i) => expect(actual.norms[i] / norm).toBeCloseTo(1, 6));
    expected.values.forEach((value, i) =>
      expect(Math.abs(actual.values[i] - value)).toBeLessThan(1e-6 * (1 + Math.abs(value))),
    );
  });

  it('samples the same ids as the CPU, and DPO has the same losses', async () => {
    const model = temporaryFolder();
    await writeTinyModel(model);
    const follow = async (device: Device) => {
      const policy = await loadPolicy(`${model}/policy`);
      const { train } = await loadPrompts(`${model}/prompts.json`, policy.tokenizer);
      const prompt = packPrompt(policy, train[0].instruction, train[0].src_encodec[0]);
      const sampler = openSampler(policy, device);
      const completions: number[][] = [];
      const options = { samplesPerPrompt: 2, temperature: 1, topK: 0, topP: 1, maxNewTokens: 8, seed: 1 };
      for await (const event of sampler.sample([prompt], options))
        if (event.type === 'completion') completions.push(packCompletion(policy, event.codes));
      await sampler.release();
      const training = {
        device,
        ...{ beta: 0.1, learningRate: 1e-2, epochs: 2, batchSize: 1, gradientAccumulationSteps: 1 },
        ...{ maxGradNorm: 1, validationShare: 0, seed: 1 },
      };
      const [chosen, rejected] = completions;
      const losses: number[] = [];
      for await (const event of trainDpo(policy, [{ prompt, chosen, rejected }], training))
        if (event.type === 'step') losses.push(event.metrics.loss);
      return { completions, losses };
    };
    const [expected, actual] = [await follow(cpu), await follow(gpu)];
    expect(actual.completions).toEqual(expected.completions);
    expect(actual.losses).toHaveLength(2);
    expected.losses.forEach((loss, i) => expect(actual.losses[i]).toBeCloseTo(loss, 5));
  });
});

it.skipIf(!found)('is one in a process, and can be opened again after it is closed', async () => {
  await expect(openWebGpu()).rejects.toThrow('a process can have one of them');
  await gpu.close();
  await expect(gpu.allocate([['x', [1]]])).rejects.toThrow('closed');
  const again = await openWebGpu();
  const { tensors, release } = await again.allocate([['x', [1]]]);
  expect(await again.read(tensors.get('x')!)).toEqual(new Float32Array(1));
  await release();
  await again.close();
});

it.skipIf(process.platform !== 'linux')('says what is missing where no adapter answers', async () => {
  const module = new URL('../../../dist/lib/engine/devices/webgpu/webgpu.js', import.meta.url).href;
  const script = `import { openWebGpu } from '${module}'; openWebGpu().catch((error) => console.log(error.name, error.message));`;
  const none = { VK_ICD_FILENAMES: '/dev/null', VK_DRIVER_FILES: '/dev/null' };
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: findPackageRoot(),
    timeout: 60_000,
    env: { ...process.env, ...none },
  });
  expect(stdout.trim()).toMatch(
    /^Error no GPU answers by WebGPU: its Vulkan driver is missing: .*apt install .*--device cpu$/,
  );
});
