/** Rows of a batch do not change each other: what a prompt's samples are does not depend on what is computed beside them. */
import { describe, expect, it } from 'vitest';
import { loadPrompts } from '../../lib/data/prompts.js';
import { CpuDevice } from '../../lib/engine/index.js';
import { resolveModelDirectory } from '../../lib/package-root.js';
import { openCompletionWriter } from '../../lib/policy/generate.js';
import { packPrompt } from '../../lib/policy/pack.js';
import { openPartner } from '../../lib/policy/partner.js';
import { loadPolicy } from '../../lib/policy/policy.js';
import { openSampler, type SamplingOptions } from '../../lib/policy/sample.js';
import { draw, warp } from '../../lib/policy/warp.js';
import { uniformStream } from '../../lib/random.js';

const PROMPTS = 4;
const SAMPLES = 6;
const TOKENS = 24;
const rules = { temperature: 1, topK: 0, topP: 1 };
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

const folder = resolveModelDirectory('default');
const policy = await loadPolicy('default');
const { train } = await loadPrompts(`${folder}/prompts.json`, policy.tokenizer);
const items = train.slice(0, PROMPTS);
const ids = items.map((item) => packPrompt(policy, item.instruction, item.src_encodec[0]));

describe.each([
  { threads: 1, int8: false },
  { threads: 2, int8: false },
  { threads: 2, int8: true },
])('on the CPU with $threads threads, in 8 bits: $int8', ({ threads, int8 }) => {
  /** Every row's logits at every step, by "prompt.sample". */
  async function logits(
    prompts: number[],
    samples: number[],
    tokens = TOKENS,
  ): Promise<Map<string, Buffer[]>> {
    const device = new CpuDevice(threads);
    const { config, tokenizer } = policy;
    const first = tokenizer.codeId(0, 0);
    const codes = numbers(tokenizer.codebookSize).map((code) => first + code);
    const allowed = Int32Array.from([...codes, config.eos_token_id]);
    const writer = openCompletionWriter(policy, { prefix: [config.bos_token_id], allowed }, device, { int8 });
    const names = prompts.flatMap((prompt) => samples.map((sample) => `${prompt}.${sample}`));
    const streams = prompts.flatMap((prompt) => samples.map((sample) => uniformStream(5, prompt, sample)));
    const steps = new Map(names.map((name): [string, Buffer[]] => [name, []]));
    const choose = (row: number, values: Float32Array) => {
      steps.get(names[row])!.push(Buffer.from(Float32Array.from(values).buffer));
      return draw(warp(values, rules), streams[row]());
    };
    const given = prompts.map((prompt) => ids[prompt]);
    const options = { samplesPerPrompt: samples.length, maxNewTokens: tokens, choose };
    for await (const _ of writer.generate(given, options));
    await writer.release();
    await device.close();
    return steps;
  }

  it('a sample has the same logits whatever is sampled beside it, to the last bit', async () => {
    const all = await logits(numbers(PROMPTS), numbers(SAMPLES));
    const groups: [number[], number[]][] = [
      [[2], numbers(SAMPLES)],
      [
        [3, 1],
        [2, 3],
      ],
      [[0], [4, 5]],
    ];
    for (const [prompts, samples] of groups)
      for (const [name, steps] of await logits(prompts, samples))
        expect(Buffer.concat(steps).equals(Buffer.concat(all.get(name)!)), name).toBe(true);
  });

  it('and the same where the longest completion is another', async () => {
    const short = await logits([1], [0, 1]);
    for (const [name, steps] of await logits([1], [0, 1], 4 * TOKENS)) {
      const before = Buffer.concat(short.get(name)!);
      expect(Buffer.concat(steps).subarray(0, before.length).equals(before), name).toBe(true);
    }
  });

  it('one sample of each prompt is the same whatever other prompts there are', async () => {
    const all = await logits(numbers(PROMPTS), [0]);
    for (const prompt of numbers(PROMPTS))
      for (const [name, steps] of await logits([prompt], [0]))
        expect(Buffer.concat(steps).equals(Buffer.concat(all.get(name)!)), name).toBe(true);
  });
});

describe('parts of a request', () => {
  const options: SamplingOptions = { ...rules, samplesPerPrompt: SAMPLES, seed: 9, maxNewTokens: TOKENS };

  async function sample(
    prompts: number[],
    changes: Partial<SamplingOptions>,
  ): Promise<Map<string, number[]>> {
    const device = new CpuDevice(1);
    const sampler = openSampler(policy, device);
    const from = changes.first ?? { prompt: 0, sample: 0 };
    const found = new Map<string, number[]>();
    const given = prompts.map((prompt) => ids[prompt]);
    for await (const event of sampler.sample(given, { ...options, ...changes }))
      if (event.type === 'completion')
        found.set(`${from.prompt + event.promptIndex}.${from.sample + event.sampleIndex}`, event.codes);
    await sampler.release();
    await device.close();
    return found;
  }

  it('are its samples, by their numbers', async () => {
    const all = await sample(numbers(PROMPTS), {});
    expect(all.size).toBe(PROMPTS * SAMPLES);
    const part = await sample([1, 2], { samplesPerPrompt: 2, first: { prompt: 1, sample: 3 } });
    expect([...part.keys()].sort()).toEqual(['1.3', '1.4', '2.3', '2.4']);
    for (const [name, codes] of part) expect(codes, name).toEqual(all.get(name));
    const otherwise = await sample([1, 2], { samplesPerPrompt: 2, first: { prompt: 0, sample: 3 } });
    expect(otherwise.get('0.3')).not.toEqual(all.get('1.3'));
  });
});

it.each([false, true])(
  'the partner writes the same codes of a completion alone and among others, in 8 bits: %s',
  async (int8) => {
    const device = new CpuDevice(1);
    const model = await loadPolicy(`${folder}/nar`);
    // The one keeps what it encoded, which is not to help the other.
    const [partner, other] = [openPartner(model, device, { int8 }), openPartner(model, device, { int8 })];
    const uniform = uniformStream(7);
    const completions = numbers(10).map((i) => {
      const { instruction, src_encodec: source } = items[i % PROMPTS];
      const codebook0 = numbers(10 + Math.floor(60 * uniform())).map(() =>
        Math.floor(model.tokenizer.codebookSize * uniform()),
      );
      return { instruction, source, codebook0 };
    });
    const together = await partner.fill(completions);
    for (const [i, completion] of completions.entries())
      expect((await other.fill([completion]))[0], `completion ${i}`).toEqual(together[i]);
    await partner.dispose();
    await other.dispose();
    await device.close();
  },
);
