/** Log-probabilities of given completions: what preference training is made of, for those who want to see it. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { chunks } from '../chunks.js';
import { compile, tf, type Compiled, type Device } from '../engine/index.js';
import { groupBy } from '../group-by.js';
import type { BatchSizes, Model } from '../policy/architecture.js';
import { checkIds } from '../policy/padding.js';
import { uploadWeights, weightSpecs } from '../policy/resident-weights.js';
import { releaseAll, type Release } from '../release.js';
import type { Arrays } from '../train/objective.js';
import { steppedLengths } from './batch.js';
import { collateLabelled, labelledInputs, maskedLabelLogProbs, type Network } from './labelled-rows.js';

/** Packed token ids: a prompt as the policy reads it (`packPrompt`), a completion as labels (`packCompletion`: `<s>` ... `</s>`). */
export interface PromptedCompletion {
  prompt: readonly number[];
  completion: readonly number[];
}

/** Natural logarithms of a completion's probabilities under a policy, given its prompt. */
export interface CompletionLogProbs {
  /** Of the whole completion: the sum over its labels in float32, as training takes it. */
  sum: number;
  /** Of each label, given those before it; `<s>` and `</s>` are among them. */
  perLabel: Float32Array;
}

/**
 * Log-probabilities of completions under a policy as it is, by the program whose sums `trainDpo` trains on: teacher forcing, one softmax
 * over the whole vocabulary, temperature 1, no dropout. Completions of one prompt share its encoder states.
 *
 * @param options.batchSize completions at once, 8 by default; it changes speed and memory, and the results by float32 rounding at most
 * @returns in the order of `items`
 * @throws Error naming the item that has more ids than the model has positions, none, or others than the model's; as `checkBatchSize`; the
 *   signal's reason when aborted
 */
export async function completionLogProbs(
  policy: Model,
  items: readonly PromptedCompletion[],
  options: LogProbOptions,
): Promise<CompletionLogProbs[]> {
  const results: CompletionLogProbs[] = [];
  for await (const batch of logProbsByBatch(policy, items, options))
    for (const { place, logProbs } of batch) results[place] = logProbs;
  return results;
}

interface LogProbOptions {
  device: Device;
  batchSize?: number;
  signal?: AbortSignal;
}

/** {@link completionLogProbs} as they come: those of a batch, each with its place among the items. */
export async function* logProbsByBatch(
  policy: Model,
  items: readonly PromptedCompletion[],
  { device, batchSize = 8, signal }: LogProbOptions,
): AsyncGenerator<{ place: number; logProbs: CompletionLogProbs }[]> {
  checkBatchSize(batchSize);
  checkItems(policy, items);
  const opened: Release[] = [];
  try {
    const weights = await uploadWeights(policy.weights, device);
    opened.push(() => weights.release());
    let compiled: { key: string; run: Compiled } | undefined;
    opened.push(async () => compiled?.run.dispose());
    for (const groups of batchesOf(items, batchSize)) {
      signal?.throwIfAborted();
      const sizes = sizesOf(policy, items, groups);
      const key = JSON.stringify(sizes);
      if (compiled?.key !== key) {
        await compiled?.run.dispose();
        compiled = undefined;
        compiled = { key, run: await compileLogProbs(policy, sizes, device) };
      }
      const { sums, logps } = await compiled.run({
        ...weights.tensors,
        ...collateGroups(policy, sizes, items, groups),
      });
      yield groups.flat().map((place, row) => {
        const from = row * sizes.completionLength;
        const perLabel = (logps as Float32Array).slice(from, from + items[place].completion.length);
        return { place, logProbs: { sum: sums[row], perLabel } };
      });
    }
  } finally {
    await releaseAll(opened);
  }
}

/** @throws Error in one sentence for a number of completions by which nothing would ever be done */
export function checkBatchSize(batchSize: number): void {
  if (!(Number.isSafeInteger(batchSize) && batchSize > 0))
    throw new Error(`the batch size must be a whole number from 1 on, not ${batchSize}`);
}

function checkItems({ architecture, config }: Network, items: readonly PromptedCompletion[]): void {
  for (const [index, { prompt, completion }] of items.entries()) {
    const positions = {
      prompt: config.max_position_embeddings,
      completion: architecture.completionPositions(config, prompt.length),
    };
    for (const [part, ids] of Object.entries({ prompt, completion })) {
      checkIds(ids, config, `item ${index}: the ${part}`);
      const most = positions[part as keyof typeof positions];
      if (ids.length === 0 || ids.length > most)
        throw new Error(`item ${index}: the ${part} has ${ids.length} ids; the model takes 1 to ${most}`);
    }
  }
}

/** Completions of a prompt, as places among the items; those of a batch have as many each. */
type Groups = readonly (readonly number[])[];

/** Batches of at most so many items, of similar lengths, so that little of a batch is filling and neighbours share a program. */
function batchesOf(items: readonly PromptedCompletion[], batchSize: number): Groups[] {
  const lengthOf = (place: number) => items[place].completion.length;
  const places = [...items.keys()].sort((a, b) => lengthOf(a) - lengthOf(b));
  const ofPrompts = groupBy(places, (place) => JSON.stringify(items[place].prompt));
  const groups = [...ofPrompts.values()]
    .flatMap((ofPrompt) => chunks(ofPrompt, batchSize))
    .sort((a, b) => lengthOf(a.at(-1)!) - lengthOf(b.at(-1)!));
  const ofSizes = groupBy(groups, ({ length }) => length);
  return [...ofSizes].flatMap(([size, alike]) => chunks(alike, Math.floor(batchSize / size)));
}

function sizesOf({ config }: Network, items: readonly PromptedCompletion[], groups: Groups): BatchSizes {
  const longest = (part: keyof PromptedCompletion) =>
    Math.max(...groups.flat().map((place) => items[place][part].length));
  return {
    prompts: groups.length,
    samples: groups[0].length,
    ...steppedLengths(longest('prompt'), longest('completion'), config),
  };
}

/** `logps` [R, T] and their `sums` [R]; weights are fed, as in training, which keeps the arithmetic the same. */
function compileLogProbs(policy: Model, sizes: BatchSizes, device: Device): Promise<Compiled> {
  const { inputs, constants } = labelledInputs(policy, sizes);
  const program = (tensors: Record<string, Tensor>) => {
    const logps = maskedLabelLogProbs(policy, tensors);
    return { logps, sums: tf.sum(logps, 1) };
  };
  return compile(program, { ...weightSpecs(policy.weights), ...inputs }, { device, constants });
}

function collateGroups(
  network: Network,
  sizes: BatchSizes,
  items: readonly PromptedCompletion[],
  groups: Groups,
): Arrays {
  const prompts = groups.map(([place]) => items[place].prompt);
  const completions = groups.flat().map((place) => items[place].completion);
  return collateLabelled(network, sizes, prompts, completions);
}
