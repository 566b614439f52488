/** Sampling rules on one row of logits, as transformers' logits processors compute them (generation/logits_process.py). */

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

/** Temperature, then top-k, then top-p, in transformers' order. Ties at the top-k border are all kept, as there. */
export function warp(logits: Float32Array, { temperature, topK, topP }: SamplingRules): Distribution {
  let indices =
    topK > 0 && topK < logits.length ? atLeast(logits, kthLargest(logits, topK)) : allIndices(logits.length);
  if (topP >= 1) return { indices, probabilities: softmax(logits, indices, temperature) };
  indices.sort((a, b) => logits[b] - logits[a] || a - b);
  const probabilities = softmax(logits, indices, temperature);
  let kept = 1;
  for (let mass = probabilities[0]; kept < indices.length && mass < topP; kept++) mass += probabilities[kept];
  indices = indices.subarray(0, kept);
  return { indices, probabilities: softmax(logits, indices, temperature) };
}

function allIndices(count: number): Int32Array {
  const indices = new Int32Array(count);
  for (let i = 0; i < count; i++) indices[i] = i;
  return indices;
}

/** Quickselect (Hoare 1961, algorithm 65): several times faster than sorting a row of a thousand logits. */
function kthLargest(logits: Float32Array, k: number): number {
  const values = logits.slice();
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let left = low;
    let right = high;
    while (left <= right) {
      while (values[left] > pivot) left++;
      while (values[right] < pivot) right--;
      if (left > right) break;
      [values[left], values[right]] = [values[right], values[left]];
      left++;
      right--;
    }
    if (k - 1 <= right) high = right;
    else if (k - 1 >= left) low = left;
    else break;
  }
  return values[k - 1];
}

function atLeast(logits: Float32Array, threshold: number): Int32Array {
  const indices = new Int32Array(logits.length);
  let count = 0;
  for (let i = 0; i < logits.length; i++) if (logits[i] >= threshold) indices[count++] = i;
  return indices.subarray(0, count);
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
  let highest = -Infinity;
  for (let i = 0; i < indices.length; i++) if (logits[indices[i]] > highest) highest = logits[indices[i]];
  const values = new Float64Array(indices.length);
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.exp((logits[indices[i]] - highest) / temperature);
    total += values[i];
  }
  for (let i = 0; i < values.length; i++) values[i] /= total;
  return values;
}
