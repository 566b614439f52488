/** What a step of generation reads and where it writes: the prompts' context, and the growing caches, on a device. */
import { elementCount } from '../engine/graph.js';
import { partOf, type Device, type DeviceTensor, type DeviceThread, type Feed } from '../engine/index.js';
import type { BatchPlaces } from './compact-batch.js';
import { nextOf, type BatchSizes, type Model } from './architecture.js';
import { MASKED } from './padding.js';

/** Plain data, so that a loop in the worker's thread can be given it. */
export interface StepMemory {
  /** Where the prompts' program writes and every step reads. */
  readonly context: Readonly<Record<string, DeviceTensor>>;
  /** Names of the inputs that read a cache, and of the outputs that extend it; each cache is [T, R * slots, width]. */
  readonly caches: readonly { input: string; output: string; cache: DeviceTensor }[];
  /** [P, S] */
  readonly promptMask: { readonly data: Float32Array; readonly shape: readonly [number, number] };
  /** Of the present step, [R, vocabulary]. */
  readonly logits: DeviceTensor;
  /** Of the device: caches are fed in whole multiples of so many positions. */
  readonly cacheStep: number;
}

export async function openStepMemory(
  { architecture: { generation }, config }: Model,
  { prompts, samples, promptLength, completionLength }: BatchSizes,
  promptMask: Float32Array,
  vocabularySize: number,
  device: Device,
): Promise<{ memory: StepMemory; release(): Promise<void> }> {
  const caches = Object.entries(generation.cacheShapes(config));
  const contexts = Object.entries(generation.contextShapes(config, promptLength));
  const { tensors, release } = await device.allocate(
    [
      ...caches.map(
        ([name, [slots, width]]) => [name, [completionLength, prompts * samples * slots, width]] as const,
      ),
      ...contexts.map(([name, shape]) => [name, [prompts, ...shape]] as const),
      ['logits', [prompts * samples, vocabularySize]],
    ],
    `sampling ${samples} completions of up to ${completionLength} tokens of each prompt`,
  );
  const memory: StepMemory = {
    context: Object.fromEntries(contexts.map(([name]) => [name, tensors.get(name)!])),
    caches: caches.map(([input]) => ({ input, output: nextOf(input), cache: tensors.get(input)! })),
    promptMask: { data: promptMask, shape: [prompts, promptLength] },
    logits: tensors.get('logits')!,
    cacheStep: device.cacheStep,
  };
  return { memory, release };
}

/**
 * Inputs of the step at `position`: the caches with all earlier positions, and with as many empty ones, masked, as make a multiple of
 * `cacheStep`; one at least (`Generation.stepProgram` says why).
 */
export function stepFeeds(memory: StepMemory, indices: Int32Array, position: number): Record<string, Feed> {
  const { cacheStep, caches } = memory;
  const positions = Math.ceil(Math.max(1, position) / cacheStep) * cacheStep;
  // Where a cache is fed as it is, all of its positions count alike.
  const bias = new Float32Array(cacheStep === 1 ? 1 : positions).fill(MASKED, position);
  const feeds: Record<string, Feed> = {
    ids: { data: indices, shape: [indices.length] },
    position: { data: Int32Array.of(position), shape: [1] },
    cacheBias: { data: bias, shape: [bias.length] },
    promptMask: memory.promptMask,
    ...memory.context,
  };
  for (const { input, cache } of caches)
    feeds[input] = partOf(cache, 0, [positions, ...cache.shape.slice(1)]);
  return feeds;
}

/** Where the step at `position` writes: its part of the caches behind the last row. */
export function stepUpdates(memory: StepMemory, position: number): Record<string, DeviceTensor> {
  const updates: Record<string, DeviceTensor> = { logits: memory.logits };
  for (const { output, cache } of memory.caches) {
    const [, slots, width] = cache.shape;
    updates[output] = partOf(cache, position, [slots, 1, width]);
  }
  return updates;
}

/**
 * The memory of some of its prompts and rows alone: they are moved together in place, over those that leave.
 *
 * @param positions that the caches hold so far
 */
export async function keepRows(
  device: DeviceThread,
  memory: StepMemory,
  staying: BatchPlaces,
  positions: number,
): Promise<StepMemory> {
  const { context, caches, promptMask, logits } = memory;
  const [prompts, promptLength] = promptMask.shape;
  const rows = logits.shape[0];
  const keptContext: [string, DeviceTensor][] = [];
  for (const [name, { shape, ...rest }] of Object.entries(context)) {
    const size = elementCount(shape) / prompts;
    await device.keepColumns!({ ...rest, shape: [1, prompts, size] }, staying.prompts);
    keptContext.push([name, { ...rest, shape: shape.with(0, staying.prompts.length) }]);
  }
  const keptCaches: StepMemory['caches'][number][] = [];
  for (const { cache, ...names } of caches) {
    const [, columns, width] = cache.shape;
    const slots = columns / rows;
    await device.keepColumns!({ ...cache, shape: [positions, rows, slots * width] }, staying.rows);
    const shape = cache.shape.with(1, staying.rows.length * slots);
    keptCaches.push({ ...names, cache: { ...cache, shape } });
  }
  const mask = staying.prompts.flatMap((prompt) => [
    ...promptMask.data.subarray(prompt * promptLength, (prompt + 1) * promptLength),
  ]);
  return {
    ...memory,
    context: Object.fromEntries(keptContext),
    caches: keptCaches,
    promptMask: { data: Float32Array.from(mask), shape: [staying.prompts.length, promptLength] },
    logits: { ...logits, shape: logits.shape.with(0, staying.rows.length) },
  };
}
