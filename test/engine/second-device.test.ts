/** A device of one's own under sampling, training and a whole run: a double that notes what it is asked and lets the CPU do it. */
import { afterAll, expect, it } from 'vitest';
import {
  CpuDevice,
  loadPolicy,
  loadPrompts,
  openSampler,
  packCompletion,
  packPrompt,
  parseParameters,
  runExperiment,
  trainDpo,
  type Device,
} from '../../lib/index.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

/** Every function of a device, each noted by its name before `inner` is asked. */
function recordingDevice(inner: Device, asked: string[]): Device {
  return {
    name: 'recording',
    description: 'a double',
    mostNumbers: inner.mostNumbers,
    freeBytes: inner.freeBytes,
    cacheStep: inner.cacheStep,
    compile: (source) => (asked.push('compile'), inner.compile(source)),
    load: (model) => (asked.push('load'), inner.load(model)),
    run: (program, feeds, into) => (asked.push('run'), inner.run(program, feeds, into)),
    unload: (program) => (asked.push('unload'), inner.unload(program)),
    checkAllocation: (shapes, what) => (asked.push('checkAllocation'), inner.checkAllocation(shapes, what)),
    checkOptimizer: (shapes) => (asked.push('checkOptimizer'), inner.checkOptimizer(shapes)),
    allocate: (shapes, what) => (asked.push('allocate'), inner.allocate(shapes, what)),
    read: (source) => (asked.push('read'), inner.read(source)),
    write: (target, data) => (asked.push('write'), inner.write(target, data)),
    clear: (target) => (asked.push('clear'), inner.clear(target)),
    openOptimizer: (shapes) => (asked.push('openOptimizer'), inner.openOptimizer(shapes)),
    stream: (module, args) => (asked.push('stream'), inner.stream(module, args)),
    close: () => (asked.push('close'), inner.close()),
  };
}

const cpu = new CpuDevice();
afterAll(() => cpu.close());

const counted = (asked: readonly string[], name: string) => asked.filter((each) => each === name).length;

it('samples and trains a policy where it is told to', async () => {
  const model = temporaryFolder();
  await writeTinyModel(model);
  const asked: string[] = [];
  const device = recordingDevice(cpu, asked);
  const policy = await loadPolicy(`${model}/policy`);
  const { train } = await loadPrompts(`${model}/prompts.json`, policy.tokenizer);
  const prompt = packPrompt(policy, train[0].instruction, train[0].src_encodec[0]);
  const sampler = openSampler(policy, device);
  const completions: number[][] = [];
  const options = { samplesPerPrompt: 2, temperature: 1, topK: 0, topP: 1, maxNewTokens: 8, seed: 1 };
  for await (const event of sampler.sample([prompt], options))
    if (event.type === 'completion') completions.push(packCompletion(policy, event.codes));
  await sampler.release();
  // The encoder and one decoder step; the loop over tokens runs beside the device.
  expect(counted(asked, 'compile')).toBe(2);
  expect(counted(asked, 'stream')).toBe(1);
  expect(counted(asked, 'unload')).toBe(2);

  asked.length = 0;
  const [chosen, rejected] = completions;
  const training = {
    device,
    ...{ beta: 0.1, learningRate: 1e-2, epochs: 2, batchSize: 1, gradientAccumulationSteps: 1 },
    ...{ maxGradNorm: 1, validationShare: 0, seed: 1 },
  };
  let steps = 0;
  for await (const event of trainDpo(policy, [{ prompt, chosen, rejected }], training))
    if (event.type === 'step') steps += 1;
  expect(steps).toBe(2);
  expect(counted(asked, 'openOptimizer')).toBe(1);
  // The reference's log-probabilities and two steps.
  expect(counted(asked, 'run')).toBe(3);
  expect(counted(asked, 'unload')).toBe(counted(asked, 'compile'));
});

it('carries a whole run, and is its owner’s to close', async () => {
  const model = temporaryFolder();
  await writeTinyModel(model);
  const parameters = parseParameters({
    model,
    ...{ iterations: 1, trainPrompts: 2, testPrompts: 1, sampleSize: 4, numEval: 1, maxNewTokens: 12 },
    audioPrompts: 1,
  });
  const written = async (device?: Device) => {
    const events: unknown[] = [];
    for await (const event of runExperiment(parameters, { root: temporaryFolder(), device })) {
      if (event.type === 'evaluated' || event.type === 'step') events.push({ ...event, seconds: 0 });
    }
    return events;
  };
  const asked: string[] = [];
  const events = await written(recordingDevice(cpu, asked));
  expect(events.length).toBeGreaterThan(4);
  expect(counted(asked, 'openOptimizer')).toBe(1);
  expect(counted(asked, 'unload')).toBe(counted(asked, 'compile'));
  expect(counted(asked, 'close')).toBe(0);
  expect(await written()).toEqual(events);
});
