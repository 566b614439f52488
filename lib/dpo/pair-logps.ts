/** Log-probabilities of preference pairs under given weights, without training. */
import { compile, keepPrograms, type Device } from '../engine/index.js';
import type { Model } from '../policy/architecture.js';
import { uploadWeights, weightSpecs } from '../policy/resident-weights.js';
import { openParts, releaseAll } from '../release.js';
import { MOST_PROGRAMS } from '../train/training-state.js';
import { batchShape, collatePairs, type PreferencePair } from './batch.js';
import { pairForward } from './pair-program.js';

/** Of each pair the log-probabilities of chosen and rejected, sums over their labels. */
export type PairLogps = Map<PreferencePair, ArrayLike<number>>;

/**
 * The log-probabilities of pairs under `model`, batch by batch: the numbers that a training has of them. Takes the memory of one more copy of
 * the weights on the device.
 *
 * @throws the signal's reason when aborted
 */
export async function pairLogps(
  model: Model,
  batches: readonly (readonly PreferencePair[])[],
  { device, signal }: { device: Device; signal?: AbortSignal },
): Promise<PairLogps> {
  await using opened = await openParts(async (parts) => {
    const weights = await uploadWeights(model.weights, device);
    parts.push(() => weights.release());
    const programs = keepPrograms(MOST_PROGRAMS);
    parts.push(() => programs.release());
    return { weights, programs, [Symbol.asyncDispose]: () => releaseAll(parts) };
  });
  const found: PairLogps = new Map();
  for (const batch of batches) {
    signal?.throwIfAborted();
    const shape = batchShape(batch, model.config);
    const run = await opened.programs.get(JSON.stringify(shape), () => {
      const { inputs, constants, forward } = pairForward(model, shape);
      return compile(forward, { ...weightSpecs(model.weights), ...inputs }, { device, constants });
    });
    const { logps } = await run({ ...opened.weights.tensors, ...collatePairs(batch, shape, model) });
    batch.forEach((pair, i) => found.set(pair, logps.slice(2 * i, 2 * i + 2)));
  }
  return found;
}
