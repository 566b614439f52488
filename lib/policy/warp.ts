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

/** Memory that one call after the other works in: to allocate it for each of a hundred rows takes longer than to choose. */
const scratch = (size: number) => ({
  indices: new Int32Array(size),
  values: new Float32Array(size),
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
  let count = topK > 0 && topK < logits.length ? keepLargest(logits, topK) : keepAll(logits.length);
  if (topP < 1) {
    memory.indices.subarray(0, count).sort((a, b) => logits[b] - logits[a] || a - b);
    const probabilities = softmax(logits, count, temperature);
    let kept = 1;
    for (let mass = probabilities[0]; kept < count && mass < topP; kept++) mass += probabilities[kept];
    count = kept;
  }
  return { indices: memory.indices.subarray(0, count), probabilities: softmax(logits, count, temperature) };
}

/** Writes all indices to the memory. @returns how many */
function keepAll(count: number): number {
  for (let i = 0; i < count; i++) memory.indices[i] = i;
  return count;
}

/** Logits that a border is guessed by. */
const PROBES = 64;
/** The border that is guessed is to leave more than k logits, or all are ordered. */
const MARGIN = 1.5;

/**
 * Writes the indices of the k largest logits, and of all that equal the last of them, in ascending order to the memory. A few logits tell
 * about where the border is, so that not many more than k have to be ordered (Floyd and Rivest 1975, "Expected time bounds for selection").
 *
 * @returns how many
 */
function keepLargest(logits: Float32Array, k: number): number {
  const { indices, values } = memory;
  const step = Math.max(1, Math.floor(logits.length / PROBES));
  const probes = Math.ceil(logits.length / step);
  for (let i = 0; i < probes; i++) values[i] = logits[i * step];
  const rank = Math.min(probes, Math.ceil((MARGIN * k * probes) / logits.length) + 2);
  let candidates = keepAtLeast(logits, kthLargest(values, probes, rank));
  if (candidates < k) candidates = keepAll(logits.length);
  for (let i = 0; i < candidates; i++) values[i] = logits[indices[i]];
  const border = kthLargest(values, candidates, k);
  let kept = 0;
  for (let i = 0; i < candidates; i++) if (logits[indices[i]] >= border) indices[kept++] = indices[i];
  return kept;
}

/** Written without a branch, which would often be mispredicted. */
function keepAtLeast(logits: Float32Array, border: number): number {
  const { indices } = memory;
  let count = 0;
  for (let i = 0; i < logits.length; i++) {
    indices[count] = i;
    count += logits[i] >= border ? 1 : 0;
  }
  return count;
}

/** Of the first `count` values, which it moves about: quickselect (Hoare 1961, algorithm 65). */
function kthLargest(values: Float32Array, count: number, k: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let left = low;
    let right = high;
    while (left <= right) {
      while (values[left] > pivot) left++;
      while (values[right] < pivot) right--;
      if (left > right) break;
      const larger = values[right];
      values[right] = values[left];
      values[left] = larger;
      left++;
      right--;
    }
    if (k - 1 <= right) high = right;
    else if (k - 1 >= left) low = left;
    else break;
  }
  return values[k - 1];
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

/** Of the logits at the first `count` indices of the memory. */
function softmax(logits: Float32Array, count: number, temperature: number): Float64Array {
  const { indices, probabilities } = memory;
  let highest = -Infinity;
  for (let i = 0; i < count; i++) if (logits[indices[i]] > highest) highest = logits[indices[i]];
  let total = 0;
  for (let i = 0; i < count; i++) {
    probabilities[i] = Math.exp((logits[indices[i]] - highest) / temperature);
    total += probabilities[i];
  }
  for (let i = 0; i < count; i++) probabilities[i] /= total;
  return probabilities.subarray(0, count);
}
