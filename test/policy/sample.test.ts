import { describe, expect, it } from 'vitest';
import { packPrompt } from '../../lib/policy/pack.js';
import { openSampler, type SamplingEvent, type SamplingOptions } from '../../lib/policy/sample.js';
import { randomPolicy } from '../support/random-policy.js';
import { device } from '../support/device.js';

const policy = randomPolicy(2, { initStd: 0.2 });
const prompts = [
  packPrompt(policy, 'faster', [1, 2, 3, 4, 5, 6]),
  packPrompt(policy, 'up', [7, 8, 9]),
  packPrompt(policy, 'echo', [0, 19, 0, 19, 3, 3, 3, 3, 3, 10]),
];
const OPTIONS: SamplingOptions = {
  samplesPerPrompt: 8,
  seed: 3,
  maxNewTokens: 12,
};

type Completion = Extract<SamplingEvent, { type: 'completion' }>;

const sampler = openSampler(policy, device);

async function events(of: number[][], options: Partial<SamplingOptions> = {}): Promise<SamplingEvent[]> {
  const all: SamplingEvent[] = [];
  for await (const event of sampler.sample(of, { ...OPTIONS, ...options })) all.push(event);
  return all;
}

/** Codes by "prompt sample". */
async function codes(of: number[][], options: Partial<SamplingOptions> = {}): Promise<Map<string, number[]>> {
  const completions = (await events(of, options)).filter(
    (event): event is Completion => event.type === 'completion',
  );
  return new Map(
    completions
      .sort((a, b) => a.promptIndex - b.promptIndex || a.sampleIndex - b.sampleIndex)
      .map(({ promptIndex, sampleIndex, codes }) => [`${promptIndex} ${sampleIndex}`, codes]),
  );
}

describe('sample', () => {
  it.each([
    ['samplesPerPrompt', 0],
    ['maxNewTokens', 0],
    ['temperature', -1],
    ['temperature', NaN],
    ['topK', 1.5],
    ['topP', 0],
    ['topP', 2],
    ['seed', 1.5],
  ])('refuses a %s of %d', async (name, value) => {
    await expect(events(prompts, { [name]: value })).rejects.toThrow(`wrong sampling options: ${name}: `);
  });

  it('refuses an option that is unknown, and a first sample that is no number', async () => {
    const given = (options: object) => events(prompts, options as Partial<SamplingOptions>);
    await expect(given({ top_k: 5 })).rejects.toThrow(/wrong sampling options: .*top_k/);
    await expect(given({ first: { prompt: '1', sample: 0 } })).rejects.toThrow('first.prompt: ');
    await expect(given({ first: { prompt: 0, sample: -1 } })).rejects.toThrow('first.sample: ');
  });

  it('samples the policy as it is where no rule is given', async () => {
    const plain = await codes(prompts);
    expect(plain).toEqual(await codes(prompts, { temperature: 1, topK: 0, topP: 1 }));
    for (const rule of [{ temperature: 0.5 }, { topK: 3 }, { topP: 0.5 }])
      expect(plain).not.toEqual(await codes(prompts, rule));
  });

  it("does not let the batch's make-up change a sample", async () => {
    const all = await codes(prompts);
    expect(all.size).toBe(24);
    const alone = await codes(prompts.slice(0, 1), { samplesPerPrompt: 4 });
    expect([...alone.keys()]).toEqual(['0 0', '0 1', '0 2', '0 3']);
    // 40 samples of each prompt are more rows than are decoded at once: the prompts go in two batches.
    const many = await codes(prompts, { samplesPerPrompt: 40 });
    expect(many.size).toBe(120);
    // As many of one prompt are decoded at once all the same.
    const beyond = await codes(prompts.slice(0, 1), { samplesPerPrompt: 101 });
    expect(beyond.size).toBe(101);
    for (const [key, expected] of alone) expect(beyond.get(key), key).toEqual(expected);
    for (const [key, expected] of alone) expect(all.get(key), key).toEqual(expected);
    for (const [key, expected] of all) expect(many.get(key), key).toEqual(expected);
  });

  it('gives every sample and every seed a stream of its own', async () => {
    const first = await codes(prompts);
    const second = await codes(prompts, { seed: 4 });
    const different = new Set([...first.values(), ...second.values()].map((sample) => sample.join(' ')));
    expect(different.size).toBeGreaterThan(40);
  });

  it('writes codes of codebook 0 only, and marks what did not end', async () => {
    const completions = (await events(prompts)).filter(
      (event): event is Completion => event.type === 'completion',
    );
    for (const { codes, finished } of completions) {
      for (const code of codes) expect(code >= 0 && code < 20).toBe(true);
      expect(codes.length).toBeLessThanOrEqual(12);
      if (!finished) expect(codes).toHaveLength(12);
    }
    const finished = completions.filter((completion) => completion.finished).length;
    expect(finished).toBeGreaterThan(0);
    expect(finished).toBeLessThan(completions.length);
  });

  it('has ended where its end comes right behind the longest length, and not where it comes later', async () => {
    const finishedOf = async (maxNewTokens: number) =>
      (await events(prompts, { maxNewTokens })).filter(
        (event): event is Completion => event.type === 'completion',
      );
    const whole = (await finishedOf(12)).find(({ codes, finished }) => finished && codes.length > 1)!;
    const { promptIndex, sampleIndex, codes } = whole;
    const again = async (maxNewTokens: number) =>
      (await finishedOf(maxNewTokens)).find(
        (each) => each.promptIndex === promptIndex && each.sampleIndex === sampleIndex,
      );
    expect(await again(codes.length)).toEqual(whole);
    expect(await again(codes.length - 1)).toEqual({ ...whole, codes: codes.slice(0, -1), finished: false });
  });

  it('takes the most likely code at temperature 0, in every sample', async () => {
    const greedy = await codes(prompts, { temperature: 0, samplesPerPrompt: 3 });
    const onlyOne = await codes(prompts, { topK: 1, samplesPerPrompt: 1 });
    for (const [key, sampled] of greedy) expect(sampled, key).toEqual(onlyOne.get(`${key.split(' ')[0]} 0`));
  });

  it('draws as often as the model says: the first code over many samples', async () => {
    const samplesPerPrompt = 100;
    const counts = async (seeds: number[]) => {
      const count = new Map<number, number>();
      for (const seed of seeds)
        for (const [code] of (
          await codes([prompts[1]], { samplesPerPrompt, seed, maxNewTokens: 1 })
        ).values())
          count.set(code, (count.get(code) ?? 0) + 1);
      return count;
    };
    const some = await counts([1, 2, 3, 4]);
    const others = await counts([5, 6, 7, 8]);
    // Two samples of 400 from one distribution: each count within 5 standard deviations of the other.
    for (const code of new Set([...some.keys(), ...others.keys()])) {
      const [a, b] = [some.get(code) ?? 0, others.get(code) ?? 0];
      expect(Math.abs(a - b), `code ${code}: ${a} and ${b}`).toBeLessThanOrEqual(5 * Math.sqrt(a + b));
    }
  });

  it('in 8 bits writes most first codes as in float32, and not all codes', async () => {
    const inInt8 = openSampler(policy, device, { int8: true });
    const options = { ...OPTIONS, samplesPerPrompt: 100 };
    const sampled = new Map<string, number[]>();
    for await (const event of inInt8.sample(prompts, options))
      if (event.type === 'completion') sampled.set(`${event.promptIndex} ${event.sampleIndex}`, event.codes);
    await inInt8.release();
    const exact = await codes(prompts, options);
    const same = [...exact].filter(([key, [first]]) => sampled.get(key)![0] === first);
    expect(same.length).toBeGreaterThan(270);
    expect(sampled).not.toEqual(exact);
  });

  it('in 8 bits is refused on a device that has none', () => {
    const other = Object.create(device, {
      name: { value: 'other' },
      int8: { value: false },
    }) as typeof device;
    expect(() => openSampler(policy, other, { int8: true })).toThrow(
      'the device other does not multiply in 8 bits: choose the device cpu, or leave int8 (--int8) out',
    );
  });

  it('reports progress up to the last completion', async () => {
    const all = await events(prompts, { samplesPerPrompt: 2 });
    const progress = all.filter((event) => event.type === 'progress');
    expect(progress.at(-1)).toEqual({ type: 'progress', done: 6, total: 6 });
    const done = progress.map((event) => event.done);
    expect(done).toEqual([...done].sort((a, b) => a - b));
  });

  it('stops when aborted', async () => {
    await expect(events(prompts, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
  });
});
