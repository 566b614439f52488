/** Sampling, training and a whole run on TensorFlow: the CPU device's results within float32's noise, and no tensor left behind. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TensorFlowDevice } from '../../../lib/engine/devices/tensorflow/device.js';
import {
  openSampler,
  packCompletion,
  parseParameters,
  runExperiment,
  tf,
  trainDpo,
  type Device,
} from '../../../lib/index.js';
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

  it(`trains for ${STEPS} steps as the CPU does, and keeps no more tensors than after the second`, async () => {
    const pairs = [
      [1, 2, 3, 4],
      [9, 8, 7],
    ].map((codes, i) => ({
      prompt: [5, 6 + i, 7],
      chosen: packCompletion(randomPolicy(), codes),
      rejected: packCompletion(randomPolicy(), [...codes].reverse()),
    }));
    const trained = async (where: Device) => {
      const policy = randomPolicy();
      const options = {
        device: where,
        ...{ beta: 0.1, learningRate: 1e-3, epochs: STEPS, batchSize: 1, gradientAccumulationSteps: 2 },
        ...{ maxGradNorm: 1, validationShare: 0, seed: 1 },
      };
      const steps: { loss: number; tensors: number }[] = [];
      for await (const event of trainDpo(policy, pairs, options))
        if (event.type === 'step')
          steps.push({ loss: event.metrics.loss, tensors: tf.memory().numTensors });
      return { steps, weights: policy.weights };
    };
    const before = tf.memory().numTensors;
    const { steps, weights } = await trained(device);
    expect(tf.memory().numTensors).toBe(before);
    const expected = await trained(cpu);
    expect(steps).toHaveLength(STEPS);
    expect(new Set(steps.slice(1).map(({ tensors }) => tensors)).size).toBe(1);
    const apart = steps.map(({ loss }, i) => Math.abs(loss - expected.steps[i].loss));
    expect(Math.max(...apart.slice(0, 10))).toBeLessThan(1e-5);
    expect(Math.max(...apart)).toBeLessThan(1e-2);
    expect(steps.at(-1)!.loss).toBeLessThan(0.1);
    expect([...weights.keys()]).toEqual([...expected.weights.keys()]);
  });

  it('carries a whole run', async () => {
    const model = temporaryFolder();
    await writeTinyModel(model);
    const parameters = parseParameters({
      model,
      ...{ iterations: 1, trainPrompts: 2, testPrompts: 1, sampleSize: 4, numEval: 1, maxNewTokens: 12 },
      audioPrompts: 1,
    });
    const rewards = async (where: Device) => {
      const seen: unknown[] = [];
      for await (const event of runExperiment(parameters, { root: temporaryFolder(), device: where }))
        if (event.type === 'evaluated') seen.push(event.statistics);
      return seen;
    };
    const before = tf.memory().numTensors;
    const onTensorFlow = await rewards(device);
    expect(onTensorFlow.length).toBeGreaterThan(2);
    expect(tf.memory().numTensors).toBe(before);
    expect(onTensorFlow).toEqual(await rewards(cpu));
  });
});

describe.skipIf(whyNoTensorFlow !== undefined || golden === undefined)('the native TensorFlow', () => {
  it('agrees with transformers and TRL within the tolerances that there are', async () => {
    const device = await openTensorFlow();
    const { rows } = await verify(golden!, device);
    await device.close();
    expect(rows.length).toBeGreaterThan(15);
    expect(rows.filter(({ pass }) => !pass)).toEqual([]);
  });
});
