/** Autoregressive generation for many prompts and samples at once: prompts read once, caches that grow, head cut to the allowed ids. */
import { isDeepStrictEqual } from 'node:util';
import type { HostTensor } from '../engine/host-tensor.js';
import {
  checkInt8,
  compile,
  compiledModule,
  type Compiled,
  type Device,
  type ProgramSource,
} from '../engine/index.js';
import { openAtOnce, releaseAll } from '../release.js';
import type { BatchSizes, Model } from './architecture.js';
import {
  decodeLoop,
  type Choose,
  type DecodeLoop,
  type GenerateStep,
  type SeededSampling,
} from './decode-loop.js';
import { mergedWeights } from './lora.js';
import { attentionMask, checkIds, steppedLength } from './padding.js';
import { checkValues } from './resident-weights.js';
import { openStepMemory } from './step-memory.js';

/** What completions are written in. */
export interface Vocabulary {
  /** Ids that every completion begins with, unasked. */
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
  /**
   * Writes `samplesPerPrompt` completions of every prompt. The caller keeps prompts times samples to what memory holds.
   *
   * @throws RangeError in one sentence for a prompt without ids, or with one that the model has not; Error while another generation is under way, or
   *   where `release` is called before it has ended
   */
  generate(prompts: readonly (readonly number[])[], options: GenerateOptions): AsyncGenerator<GenerateStep>;
  /** Frees the compiled programs and their copy of the weights. The next `generate` compiles again. */
  release(): Promise<void>;
}

interface Programs {
  sizes: BatchSizes;
  /** What the programs were compiled with; training replaces a policy's tensors. */
  tensors: readonly HostTensor[];
  prompt: Compiled;
  step: Compiled;
}

/** Lengths of prompts are rounded up to a multiple of this. */
const PROMPT_STEP = 32;

/**
 * Opens a model for generation. The programs of the last batch are kept: the next one with the same shape and weights runs them, and where a
 * step is open (`Generation.stepProgram`), it is for every shape.
 *
 * @param options.int8 multiplies by the weights in 8 bits (docs/maths.md); default false
 * @throws Error in one sentence where the device does not multiply in 8 bits
 */
export function openCompletionWriter(
  model: Model,
  { prefix, allowed }: Vocabulary,
  device: Device,
  { int8 = false }: { int8?: boolean } = {},
): CompletionWriter {
  if (int8) checkInt8(device);
  const { architecture, config, weights } = model;
  const { generation } = architecture;
  const fed = [...generation.startIds(config), ...prefix];
  if (fed.length === 0)
    throw new TypeError(`a completion of ${architecture.title} needs an id to begin with`);
  const vocabulary = Int32Array.from([...allowed, ...fed.filter((id) => !allowed.includes(id))]);
  let kept: Programs | undefined;
  /** A second generation would free the programs of the first. */
  let isWriting = false;

  async function release(except?: Compiled) {
    const programs = kept ? [kept.prompt, kept.step] : [];
    kept = undefined;
    await releaseAll(programs.filter((program) => program !== except).map(({ dispose }) => dispose));
  }

  async function open(sizes: BatchSizes): Promise<Programs> {
    const tensors = [...weights.values()];
    const current = kept?.tensors.every((tensor, i) => tensor === tensors[i]) ? kept : undefined;
    if (current && isDeepStrictEqual(current.sizes, sizes)) return current;
    checkValues(weights);
    const stepForAll = current?.step.isOpen ? current.step : undefined;
    await release(stepForAll);
    const compileSource = async (source: () => ProgramSource) => {
      const { program, inputs, ...options } = source();
      return compile(program, inputs, { ...options, device, int8 });
    };
    const merged = mergedWeights(model);
    // Together: one is traced here while the worker prepares the other.
    const [prompt, step] = await openAtOnce(
      [
        compileSource(() => generation.promptProgram(config, merged, sizes)),
        stepForAll ?? compileSource(() => generation.stepProgram(config, merged, sizes, vocabulary)),
      ],
      (program) => program.dispose(),
    );
    return (kept = { sizes, tensors, prompt, step });
  }

  /** Tokens that may be written after a prompt. */
  function roomAfter(prompt: readonly number[], maxNewTokens: number): number {
    const room = architecture.completionPositions(config, prompt.length) - fed.length;
    if (room < 1)
      throw new Error(
        `a prompt of ${prompt.length} ids leaves none of the model's ${config.max_position_embeddings} positions to write to`,
      );
    return Math.min(room, maxNewTokens);
  }

  async function* generate(
    prompts: readonly (readonly number[])[],
    options: GenerateOptions,
  ): AsyncGenerator<GenerateStep> {
    if (isWriting)
      throw new Error(
        'this sampler is writing already, and its calls follow one another: let that call end (or call return() of its generator), or open another sampler for this one',
      );
    isWriting = true;
    try {
      yield* write(prompts, options);
    } finally {
      isWriting = false;
    }
  }

  async function* write(
    prompts: readonly (readonly number[])[],
    { samplesPerPrompt, maxNewTokens, choose, signal }: GenerateOptions,
  ): AsyncGenerator<GenerateStep> {
    checkPrompts(prompts, config);
    const rooms = prompts.map((prompt) => roomAfter(prompt, maxNewTokens));
    const lengths = prompts.map((prompt) => prompt.length);
    const sizes: BatchSizes = {
      prompts: prompts.length,
      samples: samplesPerPrompt,
      promptLength: steppedLength(lengths, PROMPT_STEP, config),
      completionLength: Math.ceil((fed.length + Math.max(...rooms)) / device.cacheStep) * device.cacheStep,
    };
    const promptMask = attentionMask(prompts, sizes.promptLength);
    const programs = await open(sizes);
    const { memory, release: releaseMemory } = await openStepMemory(
      model,
      sizes,
      promptMask,
      vocabulary.length,
      device,
    );
    try {
      const feeds = generation.promptFeeds(config, weights, sizes, prompts);
      await programs.prompt({ ...feeds, promptMask }, memory.context);
      const loop: DecodeLoop = {
        program: programs.step.handle!,
        memory,
        isOpen: programs.step.isOpen === true,
        prefix: fed.map((id) => vocabulary.indexOf(id)),
        vocabulary,
        allowed: allowed.length,
        eos: config.eos_token_id,
        maxNewTokens: rooms.flatMap((room) => Array<number>(samplesPerPrompt).fill(room)),
      };
      const steps = runLoop(device, loop, choose);
      signal?.throwIfAborted();
      for await (const event of steps) {
        yield event;
        signal?.throwIfAborted();
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (kept === programs) throw error;
      throw new Error(
        'this sampler was released while it wrote: let its call end (or call return() of its generator) before release()',
        { cause: error },
      );
    } finally {
      await releaseMemory();
    }
  }

  return { generate, release: () => release() };
}

function checkPrompts(prompts: readonly (readonly number[])[], config: Model['config']): void {
  for (const prompt of prompts) {
    checkIds(prompt, config, 'a prompt');
    if (prompt.length === 0) throw new RangeError('a prompt has no ids: packPrompt makes them');
  }
}

/** In the device's own thread, unless tokens are chosen by a function, which stays in this one. */
function runLoop(
  device: Device,
  loop: DecodeLoop,
  choose: GenerateOptions['choose'],
): AsyncIterable<GenerateStep> {
  if (typeof choose === 'function') return decodeLoop(device, loop, choose);
  const module = compiledModule('./decode-loop.js', import.meta.url);
  return device.stream<GenerateStep>(module, { loop, sampling: choose });
}
