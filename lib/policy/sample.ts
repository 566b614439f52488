/** Sampling a policy: what DPO learns from. */
import { z } from 'zod';
import type { Device } from '../engine/index.js';
import { openCompletionWriter } from './generate.js';
import type { Policy } from './policy.js';
import { describeIssues } from '../zod-message.js';
import type { SamplingRules } from './warp.js';

/**
 * How completions are sampled: how many of each prompt, how long, from which seed, and by which rules; without rules (temperature 1, topK 0,
 * topP 1) from the policy's own distribution.
 */
export interface SamplingOptions extends Partial<SamplingRules> {
  samplesPerPrompt: number;
  seed: number;
  /** Longest completion in codes; a completion that reaches it is marked unfinished. */
  maxNewTokens: number;
  /** What the first prompt and each prompt's first sample are numbered in their keys; default 0 and 0. */
  first?: { prompt: number; sample: number };
  signal?: AbortSignal;
}

/**
 * What sampling yields: how many of all samples are finished, and each completion once it is, in any order. `finished` is false where
 * `maxNewTokens` cut it off.
 */
export type SamplingEvent =
  | { type: 'progress'; done: number; total: number }
  | { type: 'completion'; promptIndex: number; sampleIndex: number; codes: number[]; finished: boolean };

/** A policy ready to be sampled, one call at a time. */
export interface Sampler {
  /**
   * Samples completions of packed prompts (`packPrompt`). Only codes of codebook 0 and eos may be written, as the research code bans
   * all other ids. Each sample draws from a random stream of its own, keyed by (seed, prompt, sample), one number a token.
   *
   * @throws Error in one sentence for an option that is unknown, or a number that samples cannot be drawn by
   */
  sample(prompts: readonly (readonly number[])[], options: SamplingOptions): AsyncGenerator<SamplingEvent>;
  /** Frees what is compiled; the next `sample` compiles again. */
  release(): Promise<void>;
}

const count = z.number().int().min(1);
const index = z.number().int().min(0);
// Strict: a misspelt option of a program in JavaScript would be its default without a word.
const samplingSchema = z.strictObject({
  samplesPerPrompt: count,
  maxNewTokens: count,
  seed: z.number().int().min(0).max(0xffffffff),
  temperature: z.number().min(0).optional(),
  topK: index.optional(),
  topP: z.number().gt(0).max(1).optional(),
  first: z.strictObject({ prompt: index, sample: index }).optional(),
  signal: z.unknown().optional(),
} satisfies Record<keyof SamplingOptions, z.ZodType>);

/** Rows decoded at once: enough to fill the cores, few enough to stay in the cache. */
const ROWS_AT_ONCE = 100;

/**
 * Opens a policy for sampling on a device. The policy may be trained in between: a sample is always of its present weights.
 *
 * @param options.int8 multiplies by the weights in 8 bits (docs/maths.md): faster where the model is large, and no longer quite the policy;
 *   default false
 * @throws Error in one sentence where the device does not multiply in 8 bits
 */
export function openSampler(policy: Policy, device: Device, options: { int8?: boolean } = {}): Sampler {
  const { config, tokenizer } = policy;
  const first = tokenizer.codeId(0, 0);
  const allowed = Int32Array.from({ length: tokenizer.codebookSize + 1 }, (_, i) =>
    i < tokenizer.codebookSize ? first + i : config.eos_token_id,
  );
  const writer = openCompletionWriter(policy, { prefix: [config.bos_token_id], allowed }, device, options);

  async function* sample(
    prompts: readonly (readonly number[])[],
    options: SamplingOptions,
  ): AsyncGenerator<SamplingEvent> {
    const { error } = samplingSchema.safeParse(options);
    if (error) throw new Error(`wrong sampling options: ${describeIssues(error)}`);
    const { samplesPerPrompt, seed, maxNewTokens, first: from, signal } = options;
    const { temperature = 1, topK = 0, topP = 1 } = options;
    const total = prompts.length * samplesPerPrompt;
    const promptsAtOnce = Math.max(1, Math.floor(ROWS_AT_ONCE / samplesPerPrompt));
    let done = 0;
    for (let start = 0; start < prompts.length; start += promptsAtOnce) {
      const part = prompts.slice(start, start + promptsAtOnce);
      const keys = part.flatMap((_, i) =>
        Array.from({ length: samplesPerPrompt }, (_unused, j) => [
          seed,
          (from?.prompt ?? 0) + start + i,
          (from?.sample ?? 0) + j,
        ]),
      );
      const steps = writer.generate(part, {
        samplesPerPrompt,
        maxNewTokens: maxNewTokens + 1,
        choose: { rules: { temperature, topK, topP }, keys },
        signal,
      });
      for await (const { ended } of steps) {
        for (const { row, ids, finished } of ended) {
          const codes = (finished ? ids.slice(0, -1) : ids.slice(0, maxNewTokens)).map((id) => id - first);
          yield {
            type: 'completion',
            promptIndex: start + Math.floor(row / samplesPerPrompt),
            sampleIndex: row % samplesPerPrompt,
            codes,
            finished,
          };
          done += 1;
        }
        if (ended.length > 0) yield { type: 'progress', done, total };
      }
    }
  }

  return { sample, release: writer.release };
}
