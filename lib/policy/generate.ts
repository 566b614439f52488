/** Autoregressive generation for many prompts and samples at once: encoder once a prompt, key-value cache, head cut to the allowed ids. */
import { isDeepStrictEqual } from 'node:util';
import type { BartConfig } from '../checkpoint/bart-config.js';
import type { HostTensor } from '../engine/host-tensor.js';
import { compiledModule, type Compiled, type Device } from '../engine/index.js';
import { openAtOnce, releaseAll } from '../release.js';
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

export interface Vocabulary {
  /** Ids the decoder is started with. */
  prefix: readonly number[];
  /** Ids that may be written; must hold eos. */
  allowed: Int32Array;
}

export interface GenerateOptions {
  samplesPerPrompt: number;
  /** Longest completion, eos included and prefix not. */
  maxNewTokens: number;
  /**
   * How row `prompt * samplesPerPrompt + sample` picks an index into `allowed`: by seeded sampling, which runs beside the device, or
   * by a function, for which every step's logits come to this thread.
   */
  choose: SeededSampling | Choose;
  signal?: AbortSignal;
}

/** A model ready to write. Calls follow one another: one generation at a time. */
export interface CompletionWriter {
  /** Writes `samplesPerPrompt` completions of every prompt. The caller keeps prompts times samples to what memory holds. */
  generate(prompts: readonly (readonly number[])[], options: GenerateOptions): AsyncGenerator<GenerateStep>;
  /** Frees the compiled programs and their copy of the weights. The next `generate` compiles again. */
  release(): Promise<void>;
}

interface Model {
  readonly config: BartConfig;
  readonly weights: ReadonlyMap<string, HostTensor>;
}

interface Programs {
  shape: StepShape;
  /** What the programs were compiled with; training replaces a policy's tensors. */
  tensors: readonly HostTensor[];
  encoder: Compiled;
  step: Compiled;
}

/** Source lengths are rounded up to a multiple of this. */
const SOURCE_STEP = 32;

/** Opens a model for generation. The programs of the last batch are kept: the next one with the same shape and weights runs them. */
export function openCompletionWriter(
  model: Model,
  { prefix, allowed }: Vocabulary,
  device: Device,
): CompletionWriter {
  const { config, weights } = model;
  const vocabulary = Int32Array.from([...allowed, ...prefix.filter((id) => !allowed.includes(id))]);
  let kept: Programs | undefined;

  async function release() {
    const programs = kept;
    kept = undefined;
    if (programs) await releaseAll([() => programs.encoder.dispose(), () => programs.step.dispose()]);
  }

  async function open(shape: StepShape): Promise<Programs> {
    const tensors = [...weights.values()];
    const isCurrent =
      kept &&
      isDeepStrictEqual(kept.shape, shape) &&
      kept.tensors.every((tensor, i) => tensor === tensors[i]);
    if (kept && isCurrent) return kept;
    await release();
    // Together: one is traced here while the worker prepares the other.
    const [encoder, step] = await openAtOnce(
      [
        compileEncoder(config, weights, shape, device),
        compileStep(config, weights, shape, vocabulary, device),
      ],
      (program) => program.dispose(),
    );
    return (kept = { shape, tensors, encoder, step });
  }

  async function* generate(
    prompts: readonly (readonly number[])[],
    { samplesPerPrompt, maxNewTokens, choose, signal }: GenerateOptions,
  ): AsyncGenerator<GenerateStep> {
    const longest = Math.min(config.max_position_embeddings - prefix.length, maxNewTokens);
    const lengths = prompts.map((prompt) => prompt.length);
    const shape: StepShape = {
      prompts: prompts.length,
      samples: samplesPerPrompt,
      sourceLength: steppedLength(lengths, SOURCE_STEP, config),
      cacheLength: prefix.length + longest,
    };
    const promptIds = padIds(prompts, shape.sourceLength, config.pad_token_id);
    const promptMask = attentionMask(prompts, shape.sourceLength);
    const { encoder, step } = await open(shape);
    const { memory, release: releaseMemory } = await openStepMemory(config, shape, promptMask, device);
    try {
      await encoder({ promptIds, promptMask }, memory.cross);
      const loop: DecodeLoop = {
        program: step.handle!,
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
          ? decodeLoop(device, loop, choose)
          : device.stream<GenerateStep>(compiledModule('./decode-loop.js', import.meta.url), {
              loop,
              sampling: choose,
            });
      signal?.throwIfAborted();
      for await (const event of steps) {
        yield event;
        signal?.throwIfAborted();
      }
    } finally {
      await releaseMemory();
    }
  }

  return { generate, release };
}
