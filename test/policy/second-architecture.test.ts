/** That the architecture is a seam: another one is sampled, trained, saved and read by the package's entries alone. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { completionLogProbs, trainDpo, type PreferencePair } from '../../lib/dpo/index.js';
import { compile, CpuDevice, tf } from '../../lib/engine/index.js';
import {
  addAdapter,
  labelLogProbs,
  loadPretrained,
  openCompletionWriter,
  openPartner,
  openSampler,
  packCompletion,
  packPrompt,
  savePretrained,
  type Policy,
} from '../../lib/policy/index.js';
import { causalTransformer, type CausalConfig } from '../support/causal-transformer.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const device = new CpuDevice();
const CODES = 20;
const FIRST_CODE = 8;
const config: CausalConfig = {
  model_type: 'tiny-causal',
  vocab_size: FIRST_CODE + CODES,
  max_position_embeddings: 48,
  bos_token_id: 0,
  pad_token_id: 1,
  eos_token_id: 2,
  width: 16,
  heads: 2,
  layers: 2,
};
const openPolicy = (): Policy<CausalConfig> => ({
  architecture: causalTransformer,
  config,
  weights: causalTransformer.initialize(config, 1),
  directory: 'tiny-causal',
  tokenizer: {
    codebooks: 1,
    codebookSize: CODES,
    firstCodeId: FIRST_CODE,
    encodeText: (text) => Array.from(text, (letter) => 3 + (letter.charCodeAt(0) % 5)),
    codeId: (_, code) => FIRST_CODE + code,
  },
});
const policy = openPolicy();
const prompts = [
  packPrompt(policy, 'slower', [3, 4, 5]),
  packPrompt(policy, 'in a lower voice', [7, 7, 1, 0, 19]),
];

async function sampleCodes(temperature: number, samplesPerPrompt: number): Promise<number[][][]> {
  const codes: number[][][] = prompts.map(() => []);
  const sampler = openSampler(policy, device);
  const options = { samplesPerPrompt, seed: 5, maxNewTokens: 12, temperature, topK: 0, topP: 1 };
  for await (const event of sampler.sample(prompts, options))
    if (event.type === 'completion') codes[event.promptIndex][event.sampleIndex] = event.codes;
  await sampler.release();
  return codes;
}

it('is sampled: what is in the batch does not matter to a sample, and the model’s positions end it', async () => {
  const [first, second] = await sampleCodes(1, 3);
  expect(new Set([...first, ...second].map(String)).size).toBe(6);
  const sampler = openSampler(policy, device);
  const options = { samplesPerPrompt: 3, seed: 5, maxNewTokens: 12, temperature: 1, topK: 0, topP: 1 };
  const alone: number[][] = [];
  for await (const event of sampler.sample(prompts.slice(0, 1), options))
    if (event.type === 'completion') alone[event.sampleIndex] = event.codes;
  expect(alone).toEqual(first);
  const long: number[] = [];
  const positions = { samplesPerPrompt: 40, seed: 1, maxNewTokens: 1000, temperature: 1, topK: 0, topP: 1 };
  for await (const event of sampler.sample(prompts, positions))
    if (event.type === 'completion' && !event.finished)
      long.push(prompts[event.promptIndex].length + 1 + event.codes.length);
  expect(new Set(long)).toEqual(new Set([config.max_position_embeddings]));
  await sampler.release();
});

it('gives a greedy completion the log-probabilities that teacher forcing gives it', async () => {
  const allowed = Int32Array.from({ length: config.vocab_size }, (_, id) => id);
  const writer = openCompletionWriter(policy, { prefix: [config.bos_token_id], allowed }, device);
  const written: number[][] = [];
  const generated: number[][] = prompts.map(() => []);
  const steps = writer.generate(prompts, {
    samplesPerPrompt: 1,
    maxNewTokens: 10,
    choose(row, logits) {
      const best = logits.indexOf(Math.max(...logits));
      const total = logits.reduce((sum, value) => sum + Math.exp(value - logits[best]), 0);
      generated[row].push(-Math.log(total));
      return best;
    },
  });
  for await (const { ended } of steps) for (const { row, ids } of ended) written[row] = ids;
  await writer.release();

  const completions = written.map((ids) => [config.bos_token_id, ...ids]);
  const sizes = { prompts: 2, samples: 1, promptLength: 24, completionLength: 16 };
  const { inputs, constants } = causalTransformer.batchInputs(config, sizes);
  const run = await compile(
    (w) => {
      const hidden = causalTransformer.hiddenStates(config, w);
      const logits = causalTransformer.logits(w, tf.reshape(hidden, [-1, config.width]));
      return { logProbs: labelLogProbs(logits, w.labels) };
    },
    { ...inputs, labels: { shape: [2 * 16], dtype: 'int32' } },
    { device, constants: { ...constants, ...Object.fromEntries(policy.weights) } },
  );
  const labels = Int32Array.from(
    completions.flatMap((ids) => Array.from({ length: 16 }, (_, t) => ids[t] ?? 0)),
  );
  const { logProbs } = await run({
    ...causalTransformer.collate(config, sizes, prompts, completions),
    labels,
  }).finally(() => run.dispose());
  for (const [row, expected] of generated.entries()) {
    expect(expected.length).toBeGreaterThan(2);
    // Label 0 is `<s>`, which generation is given.
    expected.forEach((logProb, t) =>
      expect(logProbs[row * 16 + 1 + t], `row ${row}, token ${t}`).toBeCloseTo(logProb, 4),
    );
  }
});

const options = {
  device,
  beta: 0.1,
  learningRate: 1e-2,
  epochs: 8,
  batchSize: 2,
  gradientAccumulationSteps: 1,
  maxGradNorm: 1,
  validationShare: 0,
  seed: 1,
};

async function samplePairs(): Promise<PreferencePair[]> {
  const codes = await sampleCodes(1, 2);
  return prompts.map((prompt, i) => ({
    prompt,
    chosen: packCompletion(policy, codes[i][0]),
    rejected: packCompletion(policy, codes[i][1]),
  }));
}

it.each([
  ['', openPolicy],
  [
    ', and an adapter on it',
    () => addAdapter(openPolicy(), { rank: 4, alpha: 128, targets: ['qkv', 'down'], base: '' }, 1),
  ],
])('is trained%s: DPO raises the margin', async (_, open) => {
  const trained = open();
  const before = new Map(trained.weights);
  const margins: number[] = [];
  for await (const event of trainDpo(trained, await samplePairs(), options))
    if (event.type === 'step') margins.push(event.metrics['rewards/margins']!);
  expect(margins[0]).toBeCloseTo(0, 5);
  expect(margins.at(-1)!).toBeGreaterThan(0.5);
  const changed = [...before].filter(([name, tensor]) => trained.weights.get(name) !== tensor);
  expect(changed.map(([name]) => name)).toContain(trained.adapter ? '0.qkv.lora_B.weight' : 'tokens');
});

it('is told of a weight that its programs do not read', async () => {
  const { weights, ...rest } = openPolicy();
  const left = { shape: [2], dtype: 'float32' as const, data: new Float32Array(2) };
  const forgetful = { ...rest, weights: new Map([...weights, ['left over', left]]) };
  await expect(trainDpo(forgetful, await samplePairs(), options).next()).rejects.toThrow(
    'the loss does not depend on the weight "left over", which cannot be trained by it',
  );
});

it('refuses a pair that together has more ids than the model has positions', async () => {
  const pair = { prompt: Array<number>(40).fill(3), chosen: Array<number>(9).fill(9), rejected: [0, 2] };
  const training = trainDpo(policy, [pair], options);
  await expect(training.next()).rejects.toThrow('pair 0: chosen has 9 ids');
  const { prompt, chosen } = pair;
  await expect(completionLogProbs(policy, [{ prompt, completion: chosen }], { device })).rejects.toThrow(
    'item 0: the completion has 9 ids; the model takes 1 to 8',
  );
});

it('is saved and read again by whoever knows it, and is no partner', async () => {
  const folder = join(temporaryFolder(), 'model');
  await savePretrained(folder, policy);
  const read = await loadPretrained(folder, [causalTransformer]);
  expect(read.weights).toEqual(policy.weights);
  expect(read.config).toMatchObject(config);
  await expect(loadPretrained(folder)).rejects.toThrow("model_type 'tiny-causal'");
  expect(() => openPartner(policy, device)).toThrow('tiny-causal cannot be a partner');
});
