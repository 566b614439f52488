/** Sampling, training and a whole run on TensorFlow: the CPU device's results within float32's noise, and no tensor left behind. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TensorFlowDevice } from '../../../lib/engine/devices/tensorflow/device.js';
import type { HostTensor } from '../../../lib/engine/host-tensor.js';
import { compile, gelu, layerNorm, tf } from '../../../lib/engine/index.js';
import {
  openSampler,
  packCompletion,
  parseParameters,
  runExperiment,
  trainDpo,
  type Device,
} from '../../../lib/index.js';
import { uniformStream } from '../../../lib/random.js';
import { gradientOutputs, withGradients, type Loss } from '../../../lib/train/gradient-program.js';
import { openTrainingState } from '../../../lib/train/training-state.js';
import { verify } from '../../../lib/verify/verify.js';
import { device as cpu } from '../../support/device.js';
import { randomPolicy } from '../../support/random-policy.js';
import { sharedPath } from '../../support/shared.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { openTensorFlow, whyNoTensorFlow } from '../../support/tensorflow.js';
import { writeTinyModel } from '../../support/tiny-model.js';

const STEPS = 200;
const golden = sharedPath('golden/bart');

describe.each([
  {
    backend: 'in JavaScript',
    open: async () => new TensorFlowDevice({ backend: 'cpu', description: '', mostNumbers: Infinity }),
    isThere: true,
  },
  { backend: 'native', open: openTensorFlow, isThere: whyNoTensorFlow === undefined },
])('TensorFlow, $backend', ({ open, isThere }) => {
  if (!isThere) return it.skip('is not installed', () => undefined);
  let device: Device;
  beforeAll(async () => {
    await tf.setBackend('cpu');
    device = await open();
  });
  afterAll(() => device.close());

  it('samples what the CPU samples', async () => {
    const policy = randomPolicy();
    const prompts = [
      [5, 6, 7],
      [8, 9, 5, 6],
    ];
    const options = { samplesPerPrompt: 3, temperature: 1, topK: 0, topP: 1, maxNewTokens: 12, seed: 4 };
    const sampled = async (where: Device) => {
      const sampler = openSampler(policy, where);
      const completions: unknown[] = [];
      for await (const event of sampler.sample(prompts, options))
        if (event.type === 'completion') completions.push(event);
      await sampler.release();
      return completions;
    };
    const before = tf.memory().numTensors;
    const completions = await sampled(device);
    expect(completions).toHaveLength(6);
    expect(completions).toEqual(await sampled(cpu));
    expect(tf.memory().numTensors).toBe(before);
  });

  it('trains as the CPU does, also on summed micro-batches', async () => {
    const codes = [
      [1, 2, 3, 4],
      [9, 8, 7],
    ];
    const pairs = codes.map((each, i) => ({
      prompt: [5, 6 + i, 7],
      chosen: packCompletion(randomPolicy(), each),
      rejected: packCompletion(randomPolicy(), [...each].reverse()),
    }));
    const trained = async (where: Device) => {
      const before = tf.memory().numTensors;
      const options = {
        device: where,
        ...{ beta: 0.1, learningRate: 1e-3, epochs: 4, batchSize: 1, gradientAccumulationSteps: 2 },
        ...{ maxGradNorm: 1, validationShare: 0, seed: 1 },
      };
      const losses: number[] = [];
      for await (const event of trainDpo(randomPolicy(), pairs, options))
        if (event.type === 'step') losses.push(event.metrics.loss);
      return { losses, left: tf.memory().numTensors - before };
    };
    const [expected, actual] = [await trained(cpu), await trained(device)];
    expect(actual.losses).toHaveLength(4);
    actual.losses.forEach((loss, i) => expect(Math.abs(loss - expected.losses[i])).toBeLessThan(1e-5));
    expect(actual.losses[3]).toBeLessThan(actual.losses[0]);
    expect(actual.left).toBe(expected.left);
  });

  it(`keeps as many tensors after ${STEPS} steps of training as after the first`, async () => {
    const uniform = uniformStream(3);
    const shapes = { inner: [8, 6], gamma: [6], beta: [6], outer: [6, 8] };
    const weights = new Map<string, HostTensor>(
      Object.entries(shapes).map(([name, shape]) => {
        const data = Float32Array.from({ length: shape[0] * (shape[1] ?? 1) }, () => uniform() - 0.5);
        return [name, { shape, dtype: 'float32', data }];
      }),
    );
    const loss: Loss = ({ x, inner, gamma, beta, outer }) => {
      const hidden = gelu(layerNorm(tf.matMul(x, inner), gamma, beta));
      return { loss: tf.mean(tf.squaredDifference(tf.matMul(hidden, outer), x)), hidden };
    };
    const specs = Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: 'float32' as const }]);
    const run = await compile(
      withGradients(loss, Object.keys(shapes)),
      { x: { shape: [4, 8], dtype: 'float32' }, ...Object.fromEntries(specs) },
      { device },
    );
    const before = tf.memory().numTensors;
    const state = await openTrainingState(weights, device);
    const losses: number[] = [];
    const tensors = new Set<number>();
    for (let step = 0; step < STEPS; step++) {
      for (let batch = 0; batch < 1 + (step % 2); batch++) {
        const x = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i * (1 + (step % 3))));
        const outputs = await run({ ...state.parameters, x }, gradientOutputs(state.gradients));
        losses.push(outputs.loss[0]);
        expect(Object.keys(outputs)).toEqual(['loss', 'hidden']);
        if (step % 2 === 1) await state.accumulate();
      }
      await state.step(1e-2, 1);
      tensors.add(tf.memory().numTensors);
    }
    expect(tensors.size).toBe(1);
    expect(losses.at(-1)!).toBeLessThan(losses[0] / 4);
    await state.release();
    expect(tf.memory().numTensors).toBe(before);
    await run.dispose();
  });
});

describe.skipIf(whyNoTensorFlow)('the native TensorFlow', () => {
  // In JavaScript the codec alone would take minutes.
  it('carries a whole run', async () => {
    const device = await openTensorFlow();
    const model = temporaryFolder();
    await writeTinyModel(model);
    const parameters = parseParameters({
      model,
      ...{ iterations: 1, trainPrompts: 2, testPrompts: 1, sampleSize: 4, numEval: 1, maxNewTokens: 12 },
      audioPrompts: 1,
    });
    const rewards = async (where: Device) => {
      const before = tf.memory().numTensors;
      const evaluated: unknown[] = [];
      for await (const event of runExperiment(parameters, { root: temporaryFolder(), device: where }))
        if (event.type === 'evaluated') evaluated.push(event.statistics);
      return { evaluated, left: tf.memory().numTensors - before };
    };
    const onTensorFlow = await rewards(device);
    expect(onTensorFlow.evaluated.length).toBeGreaterThan(2);
    expect(onTensorFlow).toEqual(await rewards(cpu));
    await device.close();
  });

  it.skipIf(golden === undefined)(
    'agrees with transformers and TRL within the tolerances that there are',
    async () => {
      const device = await openTensorFlow();
      const { rows } = await verify(golden!, { device });
      await device.close();
      expect(rows.length).toBeGreaterThan(15);
      expect(rows.filter(({ pass }) => !pass)).toEqual([]);
    },
  );
});
