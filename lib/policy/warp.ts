/** Sampling rules on one row of logits, as transformers' logits processors compute them (generation/logits_process.py). */
import { largestIndices } from './top-k.js';

export interface SamplingRules {
  /** Divides the logits; 0 takes the most likely token instead of sampling. */
  temperature: number;
  /** Keeps the k most likely tokens; 0 keeps all. */
  topK: number;
  /** Keeps the fewest most likely tokens, one at least, whose probabilities sum to at least p; 1 keeps all. */
  topP: number;
}

/** A distribution over token indices: the kept ones with their probabilities. */
export interface Distribution {
  indices: Int32Array;
  probabilities: Float64Array;
}

/** Memory that one call after the other works in: to allocate it for each of a hundred rows takes longer than to choose. */
const scratch = (size: number) => ({
  indices: new Int32Array(size),
  probabilities: new Float64Array(size),
});
let memory = scratch(0);

/**
 * Temperature, then top-k, then top-p, in transformers' order. Ties at the top-k border are all kept, as there.
 *
 * @returns views of memory that the next call writes to
 */
export function warp(logits: Float32Array, { temperature, topK, topP }: SamplingRules): Distribution {
  if (memory.indices.length < logits.length) memory = scratch(logits.length);
  let indices = topK > 0 && topK < logits.length ? largestIndices(logits, topK) : allIndices(logits.length);
  if (topP < 1) {
    indices.sort((a, b) => logits[b] - logits[a] || a - b);
    const probabilities = softmax(logits, indices, temperature);
    let kept = 1;
    for (let mass = probabilities[0]; kept < indices.length && mass < topP; kept++)
      mass += probabilities[kept];
    indices = indices.subarray(0, kept);
  }
  return { indices, probabilities: softmax(logits, indices, temperature) };
}

function allIndices(count: number): Int32Array {
  const indices = memory.indices.subarray(0, count);
  for (let i = 0; i < count; i++) indices[i] = i;
  return indices;
}

/** The index that a uniform number in [0, 1) falls on. */
export function draw({ indices, probabilities }: Distribution, uniform: number): number {
  let remaining = uniform;
  for (let i = 0; i < indices.length; i++) {
    remaining -= probabilities[i];
    if (remaining < 0) return indices[i];
  }
  return indices[indices.length - 1];
}

/** The first index of the largest logit. */
export function argMax(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

function softmax(logits: Float32Array, indices: Int32Array, temperature: number): Float64Array {
  const probabilities = memory.probabilities.subarray(0, indices.length);
  let highest = -Infinity;
  for (let i = 0; i < indices.length; i++) if (logits[indices[i]] > highest) highest = logits[indices[i]];
  let total = 0;
  for (let i = 0; i < indices.length; i++) {
    const probability = Math.exp((logits[indices[i]] - highest) / temperature);
    probabilities[i] = probability;
    total += probability;
  }
  for (let i = 0; i < indices.length; i++) probabilities[i] /= total;
  return probabilities;
}
