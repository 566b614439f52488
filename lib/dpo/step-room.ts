/** Whether a training step fits into a device's memory, to be said before anything is sampled for it. */
import type { HostTensor } from '../engine/host-tensor.js';
import { programBytes, type Device } from '../engine/index.js';
import { buffersOf, type Model } from '../policy/architecture.js';
import { frozenOf } from '../policy/lora.js';
import { batchSource, splitTrained } from '../train/gradient-program.js';
import { NUMBERS_PER_PARAMETER } from '../train/training-state.js';
import { steppedLengths } from './batch.js';
import { pairProgram } from './pair-program.js';
import type { PreferenceLoss } from './preference-loss.js';

const BYTES_OF_FLOAT = 4;

/** Ids of the longest of each. */
export interface Longest {
  prompt: number;
  completion: number;
}

/**
 * Compares what a step takes at its longest with what is free on the device: parameters, gradients and moments, the weights that an adapter
 * leaves as they are, and the results of forward and backward pass (`programBytes`). Nothing is computed; where the device does not tell what is
 * free, nothing is compared.
 *
 * @throws Error in one sentence that says how many pairs would fit
 */
export function checkStepFits(
  policy: Model,
  batchSize: number,
  longest: Longest,
  loss: PreferenceLoss,
  { freeBytes }: Pick<Device, 'freeBytes'>,
): void {
  if (freeBytes === Infinity) return;
  const split = splitTrained(policy.weights, buffersOf(policy), frozenOf(policy));
  const numbersOf = (weights: ReadonlyMap<string, HostTensor>) =>
    [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  const held = BYTES_OF_FLOAT * (NUMBERS_PER_PARAMETER * numbersOf(split.trained) + numbersOf(split.frozen));
  // Either side of a pair is computed with another completion.
  const computed = loss.isUnpaired ? 2 : 1;
  const lengths = steppedLengths(longest.prompt, longest.completion, policy.config);
  // There may be no pair yet that says whether it has rewards: what a loss reads of them counts.
  const bytesOf = (pairs: number): number => {
    const shape = { pairs: computed * pairs, ...lengths };
    return held + programBytes(batchSource(pairProgram(policy, shape, { loss, rewards: true }), split, true));
  };
  const bytes = bytesOf(batchSize);
  if (bytes <= freeBytes) return;
  const one = batchSize === 1 ? bytes : bytesOf(1);
  const each = (bytes - one) / Math.max(1, batchSize - 1);
  const fits = one > freeBytes ? 0 : Math.floor(1 + (freeBytes - one) / each);
  const way =
    fits === 0
      ? 'not even one pair fits; shorter completions (--max-new-tokens), a smaller model or an adapter (--lora-rank) take less'
      : `batches of ${fits} fit: --batch-size ${fits} --gradient-accumulation-steps ${Math.ceil(batchSize / fits)}`;
  throw new Error(
    `a training step on ${batchSize} ${batchSize === 1 ? 'pair' : 'pairs'} of prompts of up to ${longest.prompt} ids and completions of up to ${longest.completion} takes ${gibibytes(bytes)} of the device's memory, and ${gibibytes(freeBytes)} are free; ${way}`,
  );
}

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
