/** Autoregressive generation for many prompts and samples at once: encoder once a prompt, key-value cache, head cut to the allowed ids. */
import type { BartConfig } from '../checkpoint/bart-config.js';
import type { HostTensor } from '../checkpoint/safetensors.js';
import { compiledModule, defaultHost } from '../engine/index.js';
import {
  decodeLoop,
  type Choose,
  type DecodeLoop,
  type GenerateStep,
  type SeededSampling,
} from './decode-loop.js';
import { compileEncoder, compileStep, type StepShape } from './decoder-step.js';
import { attentionMask, padIds, steppedLength } from './padding.js';
import { openStepMemory } from './step-memory.js';

export interface GenerateOptions {
  samplesPerPrompt: number;
  /** Ids the decoder is started with. */
  prefix: readonly number[];
  /** Ids that may be written; must hold eos. */
  allowed: Int32Array;
  /** Longest completion, eos included and prefix not. */
  maxNewTokens: number;
  /**
   * How row `prompt * samplesPerPrompt + sample` picks an index into `allowed`: by seeded sampling, which runs in the engine's thread, or
   * by a function, for which every step's logits come to this thread.
   */
  choose: SeededSampling | Choose;
  signal?: AbortSignal;
}

/** Source lengths are rounded up to a multiple of this. */
const SOURCE_STEP = 32;

interface Model {
  readonly config: BartConfig;
  readonly weights: ReadonlyMap<string, HostTensor>;
}

/** Writes `samplesPerPrompt` completions of every prompt. The caller keeps prompts times samples to what memory holds. */
export async function* generate(
  { config, weights }: Model,
  prompts: readonly (readonly number[])[],
  { samplesPerPrompt, prefix, allowed, maxNewTokens, choose, signal }: GenerateOptions,
): AsyncGenerator<GenerateStep> {
  const host = defaultHost();
  const longest = Math.min(config.max_position_embeddings - prefix.length, maxNewTokens);
  const lengths = prompts.map((prompt) => prompt.length);
  const shape: StepShape = {
    prompts: prompts.length,
    samples: samplesPerPrompt,
    sourceLength: steppedLength(lengths, SOURCE_STEP, config),
    cacheLength: prefix.length + longest,
  };
  const vocabulary = Int32Array.from([...allowed, ...prefix.filter((id) => !allowed.includes(id))]);
  const promptIds = padIds(prompts, shape.sourceLength, config.pad_token_id);
  const promptMask = attentionMask(prompts, shape.sourceLength);
  const { memory, release } = await openStepMemory(config, shape, promptMask);
  // Together: one is traced here while the worker prepares the other.
  const programs = Promise.all([
    compileEncoder(config, weights, shape),
    compileStep(config, weights, shape, vocabulary),
  ]);
  try {
    const [encoder, step] = await programs;
    await encoder({ promptIds, promptMask }, memory.cross);
    const loop: DecodeLoop = {
      session: step.session!,
      memory,
      rows: prompts.length * samplesPerPrompt,
      prefix: prefix.map((id) => vocabulary.indexOf(id)),
      vocabulary,
      allowed: allowed.length,
      eos: config.eos_token_id,
      maxNewTokens: longest,
    };
    const steps =
      typeof choose === 'function'
        ? decodeLoop({ run: (...request) => host.call('run', ...request) }, loop, choose)
        : host.stream<GenerateStep>(compiledModule('./decode-loop.js', import.meta.url), {
            loop,
            sampling: choose,
          });
    signal?.throwIfAborted();
    for await (const event of steps) {
      yield event;
      signal?.throwIfAborted();
    }
  } finally {
    for (const program of await programs.catch(() => [])) await program.dispose();
    await release();
  }
}
