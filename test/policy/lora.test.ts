import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSafetensors } from '../../lib/checkpoint/safetensors.js';
import { trainDpo } from '../../lib/dpo/trainer.js';
import { compile, tf } from '../../lib/engine/index.js';
import type { Model } from '../../lib/policy/architecture.js';
import { bart } from '../../lib/policy/bart/bart.js';
import { openCompletionWriter } from '../../lib/policy/generate.js';
import {
  addAdapter,
  adapterShapes,
  adapterWeights,
  frozenOf,
  mergeAdapter,
  mergedWeights,
} from '../../lib/policy/lora.js';
import { loadPretrained } from '../../lib/policy/pretrained.js';
import { argMax } from '../../lib/policy/warp.js';
import { device } from '../support/device.js';
import { randomPolicy } from '../support/random-policy.js';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
const ADAPTER = `${FIXTURES}lora/adapter`;
const base = `${FIXTURES}golden/tiny_bart`;

interface Golden {
  prompts: number[][];
  completions: number[][];
  every: number;
  logits: number[];
  logps: number[];
  pairs: { prompt: number[]; chosen: number[]; rejected: number[] }[];
  beta: number;
  learning_rate: number;
  batch: number;
  steps: { loss: number; grad_norm: number; logps: number[] }[];
  noise: { logits: number; logps: number; losses: number; step_logps: number; weights: number };
}

/** What PEFT 0.13.2 and torch compute; see make.py. */
const golden = JSON.parse(readFileSync(`${FIXTURES}lora/lora.json`, 'utf8')) as Golden;

/** Two float32 computations of one number may each be off by what the reference's own is. */
const NOISES = 4;

const load = () => loadPretrained(ADAPTER, [bart], { base });

const furthest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Array.from(a, (value, i) => Math.abs(value - b[i])).reduce((most, each) => Math.max(most, each), 0);
};

/** Logits of every label of the completions, row after row. */
async function logitsOf(
  { architecture, config, weights }: Model,
  prompts: number[][],
  completions: number[][],
): Promise<Float32Array[]> {
  const longest = (rows: number[][]) => Math.max(...rows.map((row) => row.length));
  const sizes = {
    prompts: prompts.length,
    samples: 1,
    promptLength: longest(prompts),
    completionLength: longest(completions),
  };
  const { inputs, constants } = architecture.batchInputs(config, sizes);
  const run = await compile(
    (w) => {
      const hidden = architecture.hiddenStates(config, w);
      return { logits: architecture.logits(w, tf.reshape(hidden, [-1, hidden.shape[2]!])) };
    },
    inputs,
    { device, constants: { ...constants, ...Object.fromEntries(weights) } },
  );
  const { logits } = await run(architecture.collate(config, sizes, prompts, completions)).finally(() =>
    run.dispose(),
  );
  const width = config.vocab_size;
  return completions.flatMap((completion, row) =>
    completion.map((_, position) => {
      const start = (row * sizes.completionLength + position) * width;
      return (logits as Float32Array).slice(start, start + width);
    }),
  );
}

async function train(model: Model, options: Partial<Parameters<typeof trainDpo>[2]> = {}) {
  const steps = [];
  const events = trainDpo(model, golden.pairs, {
    device,
    beta: golden.beta,
    learningRate: golden.learning_rate,
    epochs: 3,
    batchSize: golden.batch,
    gradientAccumulationSteps: 1,
    maxGradNorm: 1,
    validationShare: 0,
    seed: 1,
    shuffle: false,
    ...options,
  });
  for await (const event of events) if (event.type === 'step') steps.push(event);
  return steps;
}

describe("PEFT's adapter", () => {
  it('gives the logits and log-probabilities that PEFT computes', async () => {
    const logits = await logitsOf(await load(), golden.prompts, golden.completions);
    const kept = logits.flatMap((row) => [...row.filter((_, id) => id % golden.every === 0)]);
    expect(furthest(kept, golden.logits)).toBeLessThan(NOISES * golden.noise.logits);
    const logps = golden.completions.flat().map((id, i) => {
      const row = Array.from(logits[i]);
      return row[id] - Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0));
    });
    const [first] = golden.completions;
    const sums = [logps.slice(0, first.length), logps.slice(first.length)].map((row) =>
      row.reduce((sum, value) => sum + value, 0),
    );
    expect(furthest(sums, golden.logps)).toBeLessThan(NOISES * golden.noise.logps);
    // The adapter does something, and what it does is not within the noise.
    const plain = await logitsOf(await loadPretrained(base), golden.prompts, golden.completions);
    expect(Math.max(...logits.map((row, i) => furthest(row, plain[i])))).toBeGreaterThan(0.1);
  });

  it('is trained as torch trains it, and nothing else is', async () => {
    const model = await load();
    const before = new Map(model.weights);
    const steps = await train(model);
    expect(steps.length).toBe(golden.steps.length);
    steps.forEach(({ metrics, logps }, i) => {
      const expected = golden.steps[i];
      expect(Math.abs(metrics.loss - expected.loss)).toBeLessThan(NOISES * golden.noise.losses);
      expect(metrics.grad_norm! / expected.grad_norm).toBeCloseTo(1, 4);
      expect(furthest(logps, expected.logps)).toBeLessThan(NOISES * golden.noise.step_logps);
    });
    const after = await readSafetensors(`${FIXTURES}lora/after.safetensors`);
    const adapter = adapterWeights(model);
    expect([...adapter.keys()].map((name) => `base_model.model.${name}`).sort()).toEqual(
      [...after.keys()].sort(),
    );
    for (const [name, { data }] of adapter) {
      const expected = after.get(`base_model.model.${name}`)!.data as Float32Array;
      expect(furthest(data, expected), name).toBeLessThan(NOISES * golden.noise.weights);
      expect(furthest(data, before.get(name)!.data), name).toBeGreaterThan(1e-3);
    }
    for (const [name, tensor] of model.weights)
      if (!adapter.has(name)) expect(tensor, name).toBe(before.get(name));
  });

  it('merges into weights that give the same logits, of which samples are drawn', async () => {
    const model = await load();
    const [prompt] = golden.prompts;
    const [adapted, merged] = [
      await logitsOf(model, [prompt], golden.completions.slice(0, 1)),
      await logitsOf(mergeAdapter(model), [prompt], golden.completions.slice(0, 1)),
    ];
    expect(Math.max(...adapted.map((row, i) => furthest(row, merged[i])))).toBeLessThan(
      NOISES * golden.noise.logits,
    );
    expect(mergeAdapter(model).adapter).toBeUndefined();
    expect([...mergedWeights(model).keys()]).toEqual([...(await loadPretrained(base)).weights.keys()]);

    const allowed = Int32Array.from({ length: 40 }, (_, i) => i + 2);
    const writer = openCompletionWriter(model, { prefix: [0], allowed }, device);
    const drawn: Float32Array[] = [];
    const choose = (_: number, logits: Float32Array) => {
      drawn.push(logits.slice(0, allowed.length));
      return argMax(logits.subarray(0, allowed.length));
    };
    const options = { samplesPerPrompt: 1, maxNewTokens: 5, choose };
    const ids: number[] = [];
    for await (const { ended } of writer.generate([prompt], options))
      ended.forEach((each) => ids.push(...each.ids));
    await writer.release();
    const forced = (await logitsOf(model, [prompt], [[0, ...ids]])).slice(1);
    forced.forEach((row, i) =>
      expect(furthest(row.subarray(2, 42), drawn[i])).toBeLessThan(2 * NOISES * golden.noise.logits),
    );
  });
});

describe('a new adapter', () => {
  const options = { rank: 4, alpha: 8, targets: ['q_proj', 'fc2'], base: 'default' };
  const policy = randomPolicy(3);

  it('changes nothing, has the A of its seed within 1 / sqrt(in), and zeros as B', () => {
    const model = addAdapter(policy, options, 7);
    const shared = mergedWeights(model);
    for (const [name, { data }] of policy.weights)
      expect(
        shared.get(name)!.data.every((value, i) => value === data[i]),
        name,
      ).toBe(true);
    for (const [name, { shape, data }] of adapterWeights(model)) {
      if (name.endsWith('lora_B.weight')) {
        expect(data.every((value) => value === 0)).toBe(true);
        continue;
      }
      const bound = 1 / Math.sqrt(shape[1]);
      expect(Math.max(...data.map(Math.abs))).toBeLessThanOrEqual(bound);
      // Of a uniform distribution the deviation is bound / sqrt(3).
      const deviation = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
      expect(deviation / bound).toBeGreaterThan(0.4);
      expect(deviation / bound).toBeLessThan(0.75);
    }
    expect(addAdapter(policy, options, 7).weights).toEqual(model.weights);
    expect(addAdapter(policy, options, 8).weights).not.toEqual(model.weights);
    const all = [...adapterWeights(model).values()].filter(({ shape }) => shape[0] === 4);
    expect(new Set(all.map(({ data }) => data[0])).size).toBe(all.length);
  });

  it('leaves the weights as they are that are trained without it, and constants are none of those', () => {
    const names = [...policy.weights.keys()].filter((name) => name !== 'final_logits_bias');
    expect(frozenOf(addAdapter(policy, options, 7))).toEqual(names);
    expect(frozenOf(policy)).toEqual([]);
  });

  it('has at most the rank of the largest layer that it is on', () => {
    expect(adapterWeights(addAdapter(policy, { ...options, rank: 16 }, 7)).size).toBeGreaterThan(0);
    for (const rank of [17, 1e9])
      expect(() => addAdapter(policy, { ...options, rank }, 7)).toThrow(
        `an adapter of rank ${rank} is larger than the layers it is on: a rank of 16 is as good as`,
      );
  });

  it.each([
    ['rank', 0],
    ['rank', 1.5],
    ['alpha', 0],
    ['alpha', NaN],
    ['targets', 'q_proj'],
    ['base', undefined],
  ])('has no %s of %s', (name, value) => {
    expect(() => addAdapter(policy, { ...options, [name]: value }, 7)).toThrow(
      `wrong options of an adapter: ${name}: `,
    );
  });

  it('is on the layers whose names end as its targets do', () => {
    const layersOf = (targets: string[]) =>
      [...adapterShapes(policy, { rank: 1, targets }).keys()]
        .filter((name) => name.endsWith('lora_A.weight'))
        .map((name) => name.replace('.lora_A.weight', ''));
    expect(layersOf(['encoder_attn.v_proj'])).toEqual([
      'model.decoder.layers.0.encoder_attn.v_proj',
      'model.decoder.layers.1.encoder_attn.v_proj',
    ]);
    expect(layersOf(['q_proj']).length).toBe(6);
    expect(adapterShapes(policy, { rank: 3, targets: ['model.encoder.layers.1.fc1'] })).toEqual(
      new Map([
        ['model.encoder.layers.1.fc1.lora_A.weight', [3, 16]],
        ['model.encoder.layers.1.fc1.lora_B.weight', [24, 3]],
      ]),
    );
    const layers = 'its layers are q_proj, k_proj, v_proj, out_proj, fc1, fc2';
    expect(() => layersOf(['q_proj', 'proj'])).toThrow(
      `no linear layer of this BART is called "proj": ${layers}`,
    );
    expect(() => layersOf(['shared'])).toThrow('no linear layer of this BART is called "shared"');
    expect(() => layersOf([])).toThrow(`an adapter without targets is on no layer: ${layers}`);
    expect(() => addAdapter(addAdapter(policy, options, 1), options, 1)).toThrow('has an adapter already');
    const bare = { ...policy, architecture: { ...policy.architecture, adaptable: undefined } };
    expect(() => addAdapter(bare, options, 1)).toThrow('speech-dpo puts no adapters on a BART');
  });
});
