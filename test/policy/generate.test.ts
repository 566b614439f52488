import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freeArrays } from '../../lib/engine/free-arrays.js';
import {
  compile,
  CpuDevice,
  tf,
  type Device,
  type DeviceProgram,
  type ProgramSource,
} from '../../lib/engine/index.js';
import type { BartConfig } from '../../lib/policy/bart/config.js';
import { decode, encode, logits } from '../../lib/policy/bart/network.js';
import { seededChoice, type Choose, type GenerateStep } from '../../lib/policy/decode-loop.js';
import { openCompletionWriter, type GenerateOptions, type Vocabulary } from '../../lib/policy/generate.js';
import { causalMask } from '../../lib/policy/padding.js';
import type { Policy } from '../../lib/policy/policy.js';
import { argMax } from '../../lib/policy/warp.js';
import { copyWeights, randomPolicy } from '../support/random-policy.js';
import { device } from '../support/device.js';

beforeAll(() => tf.setBackend('cpu'));

/** A device that wants to be fed caches of few lengths; 10 tokens are no multiple of its step. */
class SteppedDevice extends CpuDevice {
  override readonly cacheStep = 4;
}
const stepped = new SteppedDevice();

/** A device that is fed the sizes that programs are compiled for. */
class ClosedDevice extends CpuDevice {
  override async compile({ inputs, ...source }: ProgramSource): Promise<DeviceProgram> {
    const specs = Object.entries(inputs).map(([name, { openAxes: _, ...spec }]) => [name, spec]);
    return super.compile({ ...source, inputs: Object.fromEntries(specs) as ProgramSource['inputs'] });
  }
}
const closed = new ClosedDevice();
/** A device of somebody's own, which hands on what the CPU compiles. */
const immovable: Device = Object.assign(new CpuDevice(), { keepColumns: undefined });
const cpu = new CpuDevice();
afterAll(() => Promise.all([stepped, closed, immovable, cpu].map((each) => each.close())));

const policy = randomPolicy(5);
const { config } = policy;
const everyId = Int32Array.from({ length: config.vocab_size }, (_, id) => id);
const prompts = [
  [0, 5, 2, 13, 14, 2],
  [0, 9, 8, 7, 2, 30, 31, 20, 12, 12, 13, 14, 15, 16, 17, 2],
  [0, 6, 2, 25, 2],
];

async function collect(
  model: Policy<BartConfig>,
  of: number[][],
  options: Partial<GenerateOptions & Vocabulary> & Pick<GenerateOptions, 'choose'>,
  on: Device = device,
): Promise<GenerateStep[]> {
  const steps: GenerateStep[] = [];
  const { prefix = [2], allowed = everyId, ...rest } = options;
  // BART itself begins with the first of these.
  expect(prefix[0]).toBe(model.config.decoder_start_token_id);
  const writer = openCompletionWriter(model, { prefix: prefix.slice(1), allowed }, on);
  const defaults = { samplesPerPrompt: 1, maxNewTokens: 10 };
  for await (const step of writer.generate(of, { ...defaults, ...rest })) steps.push(step);
  await writer.release();
  return steps;
}

function completions(steps: GenerateStep[]): number[][] {
  const rows: number[][] = [];
  for (const { ended } of steps) for (const { row, ids } of ended) rows[row] = ids;
  return rows;
}

/** Logits of every position of one row, without cache, padding or batch, on TensorFlow.js's JavaScript backend. */
async function forward(model: Policy<BartConfig>, prompt: number[], ids: number[]): Promise<Float32Array[]> {
  const length = ids.length;
  const run = await compile(
    (w) => {
      const encoded = encode(model.config, w, w.prompt, w.open);
      const decoder = { ids: w.ids, encoded, encoderMask: w.open, selfMask: w.causal };
      return { scores: logits(w, decode(model.config, w, decoder)) };
    },
    {
      prompt: { shape: [1, prompt.length], dtype: 'int32' },
      open: { shape: [1, prompt.length], dtype: 'float32' },
      ids: { shape: [1, length], dtype: 'int32' },
      causal: { shape: [length, length], dtype: 'float32' },
    },
    {
      device: 'eager',
      constants: Object.fromEntries(
        [...model.weights].map(([name, { shape, data }]) => [name, { shape, data: data as Float32Array }]),
      ),
    },
  );
  const { scores } = await run({
    prompt: Int32Array.from(prompt),
    open: new Float32Array(prompt.length),
    ids: Int32Array.from(ids),
    causal: causalMask(length),
  });
  const vocabulary = model.config.vocab_size;
  return ids.map((_, i) => scores.slice(i * vocabulary, (i + 1) * vocabulary) as Float32Array);
}

describe('generate', () => {
  it.each<[string, { prefix: number[]; scaled?: boolean; on?: Device }]>([
    ['one id to start with', { prefix: [2] }],
    ['two ids to start with', { prefix: [2, 0] }],
    ['embeddings scaled by the square root of the width', { prefix: [2], scaled: true }],
    ['caches fed in steps', { prefix: [2, 0], on: stepped }],
  ])('gives the logits of full forward passes: %s', async (_, { prefix, scaled = false, on = device }) => {
    const model = { ...policy, config: { ...config, scale_embedding: scaled } };
    const samples = 3;
    const seen: Float32Array[][] = prompts.flatMap(() => Array.from({ length: samples }, () => []));
    const options = {
      samplesPerPrompt: samples,
      prefix,
      // A different walk for every row, never to the end token.
      choose: (row: number, scores: Float32Array) => {
        seen[row].push(scores.slice());
        return 3 + ((row * 7 + seen[row].length * 5) % 27);
      },
    };
    const steps = await collect(model, prompts, options, on);
    const written = completions(steps);
    expect(written).toHaveLength(9);
    for (const [row, ids] of written.entries()) {
      const expected = await forward(model, prompts[Math.floor(row / samples)], [...prefix, ...ids]);
      for (const [i, scores] of seen[row].entries())
        expect(
          largestDifference(scores, expected[prefix.length - 1 + i]),
          `row ${row}, token ${i}`,
        ).toBeLessThan(2e-5);
    }
  });

  it('scales embeddings by the square root of the width: as if the table were as much larger', async () => {
    const scaled = await forward({ ...policy, config: { ...config, scale_embedding: true } }, [0, 5, 2], [2]);
    const weights = copyWeights(policy.weights);
    const table = weights.get('model.shared.weight')!.data;
    // Of 16 numbers a vector.
    table.forEach((value, i) => (table[i] = 4 * value));
    const larger = await forward({ ...policy, weights }, [0, 5, 2], [2]);
    // The output head is the same table.
    const bias = policy.weights.get('final_logits_bias')!.data;
    const expected = scaled[0].map((logit, id) => 4 * (logit - bias[id]) + bias[id]);
    expect(largestDifference(larger[0], expected)).toBeLessThan(1e-4);
  });

  it('decodes greedily with the cache what it decodes without', async () => {
    const steps = await collect(policy, prompts, { choose: (_, scores) => argMax(scores), maxNewTokens: 12 });
    for (const [row, ids] of completions(steps).entries()) {
      const expected: number[] = [];
      while (expected.length < 12 && expected.at(-1) !== config.eos_token_id)
        expected.push(argMax((await forward(policy, prompts[row], [2, ...expected])).at(-1)!));
      expect(ids).toEqual(expected);
    }
  });

  it('ends a row at the end token, and says which rows ended when', async () => {
    const eos = config.eos_token_id;
    const lengths = [3, 1, 5];
    const counts = [0, 0, 0];
    const steps = await collect(policy, prompts, {
      choose: (row) => (++counts[row] === lengths[row] ? eos : 20),
      maxNewTokens: 4,
    });
    expect(steps).toEqual([
      { open: 2, ended: [{ row: 1, ids: [eos], finished: true }] },
      { open: 1, ended: [{ row: 0, ids: [20, 20, eos], finished: true }] },
      { open: 0, ended: [{ row: 2, ids: [20, 20, 20, 20], finished: false }] },
    ]);
    // A row that ended is not asked again.
    expect(counts).toEqual([3, 1, 4]);
  });

  it("stops at the model's last position", async () => {
    const steps = await collect(policy, [prompts[0]], {
      choose: () => 20,
      maxNewTokens: 1000,
      prefix: [2, 0],
    });
    expect(completions(steps)[0]).toHaveLength(config.max_position_embeddings - 2);
  });

  it('chooses among the allowed ids only, by their index', async () => {
    const allowed = Int32Array.of(31, 13, 2);
    const widths = new Set<number>();
    const steps = await collect(policy, prompts, {
      allowed,
      prefix: [2, 0],
      maxNewTokens: 3,
      choose: (row, scores) => {
        widths.add(scores.length);
        return row % 2;
      },
    });
    expect([...widths]).toEqual([3]);
    expect(completions(steps)).toEqual([
      [31, 31, 31],
      [13, 13, 13],
      [31, 31, 31],
    ]);
  });

  it('lends the device the weights, gives it those that are made for a program, and has one program packed', async () => {
    const compiled = vi.spyOn(device, 'compile');
    await collect(policy, prompts, { choose: () => 20 });
    const [prompt, step] = compiled.mock.calls.map(([source]) => source);
    compiled.mockRestore();
    expect([prompt.packs, step.packs]).toEqual([false, undefined]);
    for (const { constants } of [prompt, step])
      for (const [name, { data, memory }] of Object.entries(constants))
        expect(memory === 'lent', name).toBe(policy.weights.get(name)?.data === data);
    const layer = 'model.decoder.layers.0';
    const made = ['vocabulary', `${layer}.self_attn.qkv.weight`, `${layer}.encoder_attn.q_proj.weight`];
    expect(made.map((name) => step.constants[name].memory)).toEqual(made.map(() => 'given'));
  });

  it('says so where a training has freed the weights', async () => {
    const weights = copyWeights(policy.weights);
    await freeArrays([...weights.values()].map(({ data }) => data));
    const steps = collect({ ...policy, weights }, prompts, { choose: () => 20 });
    await expect(steps).rejects.toThrow(/^the weight \S+ is empty: a training was told keepsWeights: false/);
  });

  it('frees one program where an architecture cannot say the other', async () => {
    const { architecture } = policy;
    const stepProgram = () => {
      throw new Error('no step');
    };
    const generation = { ...architecture.generation, stepProgram };
    const own = { ...policy, architecture: { ...architecture, generation } };
    const unloaded = vi.spyOn(device, 'unload');
    await expect(collect(own, prompts, { choose: () => 20 })).rejects.toThrow('no step');
    expect(unloaded).toHaveBeenCalledTimes(1);
    unloaded.mockRestore();
  });

  it('can be left or aborted half-way, and works again afterwards', async () => {
    const abort = new AbortController();
    const choose = () => 20;
    const aborted = collect(policy, prompts, {
      choose: () => {
        abort.abort(new Error('enough'));
        return 20;
      },
      signal: abort.signal,
    });
    await expect(aborted).rejects.toThrow('enough');
    const { generate, release } = openCompletionWriter(policy, { prefix: [], allowed: everyId }, device);
    const options = { samplesPerPrompt: 1, maxNewTokens: 9, choose };
    for await (const { open } of generate(prompts, options)) if (open > 0) break;
    const sampling = { rules: { temperature: 1, topK: 0, topP: 1 }, keys: prompts.map((_, row) => [row]) };
    for await (const _ of generate(prompts, { ...options, choose: sampling })) break;
    const steps: GenerateStep[] = [];
    for await (const step of generate(prompts, options)) steps.push(step);
    expect(completions(steps)).toEqual(prompts.map(() => Array(9).fill(20)));
    await release();
  });

  it('refuses a prompt without ids, or of text', async () => {
    const writing = (prompt: unknown) => collect(policy, [prompt as number[]], { choose: () => 20 });
    await expect(writing([])).rejects.toThrow('a prompt has no ids: packPrompt makes them');
    await expect(writing('Make it faster.')).rejects.toThrow(
      'a prompt must be a list of token ids, as packPrompt',
    );
  });

  it.each([-1, 1e6, 5.5])('refuses a prompt with the id %d, which the vocabulary has not', async (id) => {
    const writing = collect(policy, [[0, id, 2]], { choose: () => 20 });
    await expect(writing).rejects.toThrow(`a prompt has the id ${id}, but the model has ids from 0 to `);
  });

  it('lets rows leave that have ended, and writes what it writes where none may', async () => {
    const lengths = [2, 3, 3, 9, 1, 10, 1, 5, 4, 8, 8, 2];
    const write = async (on: Device) => {
      const counts = lengths.map(() => 0);
      const logits: Float32Array[] = [];
      const choose: Choose = (row, scores) => {
        logits.push(scores.slice());
        if (++counts[row] === lengths[row]) return config.eos_token_id;
        return logits.length % 3 === row % 3 ? 20 : 21;
      };
      const of = [...prompts, [0, 7, 2]];
      const steps = await collect(policy, of, { samplesPerPrompt: 3, choose }, on);
      expect(completions(steps).map(({ length }) => length)).toEqual(lengths);
      return { steps, logits };
    };
    const run = vi.spyOn(cpu, 'run');
    const open = await write(cpu);
    const rows = run.mock.calls.flatMap(([, { ids }]) => (ids ? ids.shape : []));
    run.mockRestore();
    // After two tokens each prompt has two open rows. Prompts leave after 3, 5 and 8, and the last keeps a row that has ended.
    expect(rows).toEqual([12, 12, 8, 6, 6, 4, 4, 4, 2, 2]);
    expect(open).toEqual(await write(closed));
  });

  it('lets no rows leave on a device that cannot move columns, though its programs are open', async () => {
    const write = async (on: Device) => {
      let count = 0;
      const choose: Choose = () => (++count === 1 ? config.eos_token_id : 20);
      return completions(await collect(policy, prompts, { choose, maxNewTokens: 4 }, on));
    };
    expect(await write(immovable)).toEqual(await write(cpu));
  });

  it('writes one generation at a time, and the next after one that was left', async () => {
    const writer = openCompletionWriter(policy, { prefix: [], allowed: everyId }, cpu);
    const write = (of: number[][]) =>
      writer.generate(of, { samplesPerPrompt: 1, maxNewTokens: 40, choose: () => 20 });
    const left = write(prompts);
    await left.next();
    await expect(write(prompts.slice(1)).next()).rejects.toThrow('this sampler is writing already');
    await left.return(undefined);
    for await (const { open } of write(prompts.slice(1))) expect(open).toBeLessThan(3);
    await writer.release();
  });

  it('says so where it is released while it writes, and writes afterwards', async () => {
    const writer = openCompletionWriter(policy, { prefix: [], allowed: everyId }, cpu);
    const write = () => writer.generate(prompts, { samplesPerPrompt: 1, maxNewTokens: 40, choose: () => 20 });
    const steps = write();
    await steps.next();
    await writer.release();
    const writeOn = async () => {
      for await (const _ of steps);
    };
    await expect(writeOn()).rejects.toThrow('this sampler was released while it wrote');
    expect((await write().next()).done).toBe(false);
    await writer.release();
  });

  it('frees its programs where the weights that the next ones need are gone', async () => {
    const compiled = vi.spyOn(cpu, 'compile');
    const unloaded = vi.spyOn(cpu, 'unload');
    const trained: Policy<BartConfig> = { ...policy, weights: copyWeights(policy.weights) };
    const writer = openCompletionWriter(trained, { prefix: [], allowed: everyId }, cpu);
    const write = async (of: number[][]) => {
      for await (const _ of writer.generate(of, { samplesPerPrompt: 1, maxNewTokens: 2, choose: () => 20 }));
    };
    await write(prompts.slice(1));
    await freeArrays([...trained.weights.values()].map(({ data }) => data));
    await expect(write(prompts)).rejects.toThrow('is empty: a training was told keepsWeights: false');
    await writer.release();
    expect(unloaded).toHaveBeenCalledTimes(compiled.mock.calls.length);
    compiled.mockRestore();
    unloaded.mockRestore();
  });

  it('compiles a step once for the weights, for all prompts and any number of samples', async () => {
    const compiled = vi.spyOn(cpu, 'compile');
    const unloaded = vi.spyOn(cpu, 'unload');
    const long = Array.from({ length: 40 }, (_, i) => 3 + (i % 20));
    const writer = openCompletionWriter(policy, { prefix: [], allowed: everyId }, cpu);
    const programs: string[][] = [];
    for (const [of, samplesPerPrompt, maxNewTokens] of [
      [[prompts[0]], 1, 3],
      [[...prompts, long], 1, 9],
      [prompts, 2, 3],
    ] as const) {
      for await (const _ of writer.generate(of, { samplesPerPrompt, maxNewTokens, choose: () => 20 }));
      programs.push(compiled.mock.calls.map(([{ inputs }]) => ('ids' in inputs ? 'step' : 'prompt')));
      compiled.mockClear();
    }
    expect(programs).toEqual([['prompt', 'step'], ['prompt'], ['prompt']]);
    await writer.release();
    expect(unloaded).toHaveBeenCalledTimes(4);
    compiled.mockRestore();
    unloaded.mockRestore();
  });

  it('is of the present weights and prompts, though its programs are kept', async () => {
    const trained: Policy<BartConfig> = { ...policy, weights: copyWeights(policy.weights) };
    const greedy = { choose: (_row: number, scores: Float32Array) => argMax(scores) };
    const { generate, release } = openCompletionWriter(trained, { prefix: [], allowed: everyId }, device);
    const write = async (of: number[][], samplesPerPrompt: number) => {
      const steps: GenerateStep[] = [];
      for await (const step of generate(of, { samplesPerPrompt, maxNewTokens: 10, ...greedy }))
        steps.push(step);
      return completions(steps);
    };
    const before = await write(prompts, 1);
    expect(await write(prompts.toReversed(), 1)).toEqual(before.toReversed());
    expect(await write(prompts.slice(1), 2)).toEqual([before[1], before[1], before[2], before[2]]);
    // As training does: new tensors in the same map.
    for (const [name, tensor] of randomPolicy(6).weights) trained.weights.set(name, tensor);
    const after = await write(prompts, 1);
    expect(after).not.toEqual(before);
    expect(after).toEqual(completions(await collect(randomPolicy(6), prompts, greedy)));
    await release();
    expect(await write(prompts, 1)).toEqual(after);
    await release();
  });

  it('samples in the worker what it samples here', async () => {
    const sampling = {
      rules: { temperature: 1.3, topK: 20, topP: 0.9 },
      keys: prompts.flatMap((_, prompt) => [0, 1].map((sample) => [8, prompt, sample])),
    };
    const options = { samplesPerPrompt: 2, prefix: [2, 0], maxNewTokens: 12 };
    const there = await collect(policy, prompts, { ...options, choose: sampling });
    expect(there).toEqual(await collect(policy, prompts, { ...options, choose: seededChoice(sampling) }));
    expect(new Set(completions(there).map(String)).size).toBe(6);
  });

  it('leaves the weights as they are', async () => {
    const before = copyWeights(policy.weights);
    await collect(policy, prompts, { choose: () => 20, maxNewTokens: 2 });
    expect(policy.weights).toEqual(before);
  });
});

function largestDifference(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  return actual.reduce((largest, value, i) => Math.max(largest, Math.abs(value - expected[i])), 0);
}
