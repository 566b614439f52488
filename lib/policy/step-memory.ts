/** What a decoder step reads and where it writes: the prompts' keys and values, and the growing cache, on a device. */
import type { BartConfig } from '../checkpoint/bart-config.js';
import { partOf, type Device, type DeviceTensor, type Feed } from '../engine/index.js';
import { MASKED } from './bart.js';
import {
  cachedKey,
  cachedValue,
  crossKey,
  crossValue,
  layers,
  newKey,
  newValue,
  type StepShape,
} from './decoder-step.js';

/** Plain data, so that a loop in the worker's thread can be given it. */
export interface StepMemory {
  /** Where the encoder writes and every step reads. */
  readonly cross: Readonly<Record<string, DeviceTensor>>;
  /** Names of the inputs that read a cache, and of the outputs that extend it; each cache is [C, R * heads, D / heads]. */
  readonly caches: readonly { input: string; output: string; cache: DeviceTensor }[];
  /** [P, S] */
  readonly promptMask: Feed;
}

export async function openStepMemory(
  config: BartConfig,
  shape: StepShape,
  promptMask: Float32Array,
  device: Device,
): Promise<{ memory: StepMemory; release(): Promise<void> }> {
  const heads = config.decoder_attention_heads;
  const headWidth = config.d_model / heads;
  const cacheShape = [shape.cacheLength, shape.prompts * shape.samples * heads, headWidth];
  const crossShape = [shape.prompts, heads, shape.sourceLength, headWidth];
  const cacheNames = layers(config).flatMap((layer) => [
    [cachedKey(layer), newKey(layer)],
    [cachedValue(layer), newValue(layer)],
  ]);
  const crossNames = layers(config).flatMap((layer) => [crossKey(layer), crossValue(layer)]);
  const { tensors, release } = await device.allocate(
    [
      ...cacheNames.map(([input]) => [input, cacheShape] as const),
      ...crossNames.map((name) => [name, crossShape] as const),
    ],
    `sampling ${shape.samples} completions of up to ${shape.cacheLength} tokens of each prompt`,
  );
  const memory: StepMemory = {
    cross: Object.fromEntries(crossNames.map((name) => [name, tensors.get(name)!])),
    caches: cacheNames.map(([input, output]) => ({ input, output, cache: tensors.get(input)! })),
    promptMask: { data: promptMask, shape: [shape.prompts, shape.sourceLength] },
  };
  return { memory, release };
}

/** Inputs of the step at `position`: the cache of all earlier positions, one at least (`compileStep` says why). */
export function stepFeeds(memory: StepMemory, indices: Int32Array, position: number): Record<string, Feed> {
  const feeds: Record<string, Feed> = {
    ids: { data: indices, shape: [indices.length] },
    position: { data: Int32Array.of(position), shape: [1] },
    cacheBias: { data: Float32Array.of(position === 0 ? MASKED : 0), shape: [1] },
    promptMask: memory.promptMask,
    ...memory.cross,
  };
  for (const { input, cache } of memory.caches) {
    feeds[input] = partOf(cache, 0, [Math.max(1, position), ...cache.shape.slice(1)]);
  }
  return feeds;
}

/** Where the step at `position` writes its keys and values: behind the cache's last row. */
export function stepUpdates(memory: StepMemory, position: number): Record<string, DeviceTensor> {
  const updates: Record<string, DeviceTensor> = {};
  for (const { output, cache } of memory.caches) {
    const [, slots, headWidth] = cache.shape;
    updates[output] = partOf(cache, position, [slots, 1, headWidth]);
  }
  return updates;
}
