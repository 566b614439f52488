/** Autoregressive generation for many prompts and samples at once: encoder once a prompt, key-value cache, head cut to the allowed ids. */
import type { BartConfig } from '../checkpoint/bart-config.js';
import type { HostTensor } from '../checkpoint/safetensors.js';
import { defaultHost, type Compiled, type HostArray, type Resident } from '../engine/index.js';
import { MASKED } from './bart.js';
import {
  cachedKey,
  cachedValue,
  compileEncoder,
  compileStep,
  crossKey,
  crossValue,
  layers,
  newKey,
  newValue,
  type StepShape,
} from './decoder-step.js';
import { attentionMask, padIds, steppedLength } from './padding.js';

export interface GenerateOptions {
  samplesPerPrompt: number;
  /** Ids the decoder is started with. */
  prefix: readonly number[];
  /** Ids that may be written; must hold eos. */
  allowed: Int32Array;
  /** Longest completion, eos included and prefix not. */
  maxNewTokens: number;
  /** Picks an index into `allowed` for row `prompt * samplesPerPrompt + sample`. */
  choose(row: number, logits: Float32Array): number;
  signal?: AbortSignal;
}

/** After each token: how many rows are still open, and the rows that just ended (at eos, or full). */
export interface GenerateStep {
  open: number;
  ended: { row: number; ids: number[]; finished: boolean }[];
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
  options: GenerateOptions,
): AsyncGenerator<GenerateStep> {
  const { samplesPerPrompt: samples, prefix, allowed } = options;
  const capacity = Math.min(config.max_position_embeddings, prefix.length + options.maxNewTokens);
  const lengths = prompts.map((prompt) => prompt.length);
  const shape: StepShape = {
    prompts: prompts.length,
    samples,
    sourceLength: steppedLength(lengths, SOURCE_STEP, config),
    cacheLength: capacity,
  };
  const rows = prompts.length * samples;
  const vocabulary = Int32Array.from([...allowed, ...prefix.filter((id) => !allowed.includes(id))]);
  const indexOf = new Map(Array.from(vocabulary, (id, index) => [id, index]));
  const memory = await openMemory(config, shape);
  const sessions: Compiled[] = [];
  try {
    const promptMask = await runEncoder({ config, weights }, prompts, shape, memory, sessions);
    const step = await compileStep(config, weights, shape, vocabulary);
    sessions.push(step);
    let ids = new Int32Array(rows);
    const written: number[][] = Array.from({ length: rows }, () => []);
    const open = new Set(written.keys());
    for (let position = 0; open.size > 0; position++) {
      options.signal?.throwIfAborted();
      if (position < prefix.length) ids.fill(indexOf.get(prefix[position])!);
      const { logits } = await step(
        { ids, position: Int32Array.of(position), promptMask, ...memory.feeds(position) },
        memory.place(position),
      );
      if (position < prefix.length - 1) continue;
      const next = new Int32Array(rows);
      const ended: GenerateStep['ended'] = [];
      for (const row of open) {
        const scores = logits.subarray(
          row * vocabulary.length,
          row * vocabulary.length + allowed.length,
        ) as Float32Array;
        next[row] = options.choose(row, scores);
        const id = allowed[next[row]];
        written[row].push(id);
        const finished = id === config.eos_token_id;
        if (finished || written[row].length === capacity - prefix.length) {
          open.delete(row);
          ended.push({ row, ids: written[row], finished });
        }
      }
      ids = next;
      yield { open: open.size, ended };
    }
  } finally {
    for (const session of sessions) await session.dispose();
    await memory.release();
  }
}

async function runEncoder(
  model: Model,
  prompts: readonly (readonly number[])[],
  shape: StepShape,
  memory: Memory,
  sessions: Compiled[],
): Promise<Float32Array> {
  const { sourceLength } = shape;
  const promptIds = padIds(prompts, sourceLength, model.config.pad_token_id);
  const promptMask = attentionMask(prompts, sourceLength);
  const encoder = await compileEncoder(model.config, model.weights, shape);
  sessions.push(encoder);
  await encoder({ promptIds, promptMask }, memory.cross);
  return promptMask;
}

interface Memory {
  /** Where the encoder writes. */
  readonly cross: Record<string, Resident>;
  /** What the step at `position` reads: the cache of all earlier positions. */
  feeds(position: number): Record<string, Resident | HostArray>;
  /** Where a step's keys and values belong. */
  place(position: number): Record<string, Resident>;
  release(): Promise<void>;
}

async function openMemory(config: BartConfig, shape: StepShape): Promise<Memory> {
  const heads = config.decoder_attention_heads;
  const headWidth = config.d_model / heads;
  const slots = shape.prompts * shape.samples * heads;
  const crossShape = [shape.prompts, heads, shape.sourceLength, headWidth];
  const caches = layers(config).flatMap((layer) => [cachedKey(layer), cachedValue(layer)]);
  const crosses = layers(config).flatMap((layer) => [crossKey(layer), crossValue(layer)]);
  const resident = await defaultHost().allocate([
    ...caches.map((name) => [name, [shape.cacheLength, slots, headWidth]] as const),
    ...crosses.map((name) => [name, crossShape] as const),
  ]);
  const cross = Object.fromEntries(crosses.map((name) => [name, resident.tensors.get(name)!]));
  const news = layers(config).flatMap((layer) => [newKey(layer), newValue(layer)]);
  const positionBytes = slots * headWidth * 4;
  return {
    cross,
    feeds: (position) => ({
      ...cross,
      cacheBias: Float32Array.of(position === 0 ? MASKED : 0),
      ...Object.fromEntries(
        caches.map((name) => [
          name,
          { ...resident.tensors.get(name)!, shape: [Math.max(1, position), slots, headWidth] },
        ]),
      ),
    }),
    place: (position) =>
      Object.fromEntries(
        caches.map((name, i) => {
          const cache = resident.tensors.get(name)!;
          return [
            news[i],
            { ...cache, byteOffset: cache.byteOffset + position * positionBytes, shape: [slots, headWidth] },
          ];
        }),
      ),
    release: () => resident.release(),
  };
}
