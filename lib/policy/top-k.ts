/** The k largest of a row of logits, found by a kernel that looks at four at a time (top-k.wat). */
import { TOP_K_KERNEL } from './top-k-kernel.js';

interface Exports {
  memory: WebAssembly.Memory;
  border_of(list: number, end: number, k: number, last: number): number;
  at_least(list: number, end: number, border: number, values: number, indices: number): number;
}

const PAGE = 65_536;
const BYTES = 4;
/** Numbers that the kernel takes at once. */
const LANES = 4;
/** Logits that a border is guessed by. */
const PROBES = 64;
/** Lowest bit of a number that is looked at: for a guess sign, exponent and seven digits will do. */
const EXACT = 1;
const ROUGH = 2 ** 16;
/** The border that is guessed is to leave more than k logits. */
const MARGIN = 1.5;

const kernel = new WebAssembly.Instance(new WebAssembly.Module(TOP_K_KERNEL as BufferSource))
  .exports as unknown as Exports;

/** Of the kernel's memory: a row, those of its logits that are candidates, their indices, and the probes; one row after the other. */
interface Lists {
  /** Numbers that each holds. */
  size: number;
  row: Float32Array;
  candidates: Float32Array;
  indices: Int32Array;
  probes: Float32Array;
}

let lists: Lists = listsOf(0);

function listsOf(size: number): Lists {
  const { memory } = kernel;
  const missing = 4 * size * BYTES - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
  const { buffer } = memory;
  const list = (index: number): [ArrayBuffer, number, number] => [buffer, index * size * BYTES, size];
  return {
    size,
    row: new Float32Array(...list(0)),
    candidates: new Float32Array(...list(1)),
    indices: new Int32Array(...list(2)),
    probes: new Float32Array(...list(3)),
  };
}

/**
 * Indices of the k largest logits and of all that equal the last of them, in ascending order; NaN is among none. A few of the logits tell
 * about where the border is, so that not many more than k are looked at closely (Floyd and Rivest 1975, "Expected time bounds for selection").
 *
 * @param k at least 1, and less than there are logits
 * @returns a view that the next call writes to
 */
export function largestIndices(logits: Float32Array, k: number): Int32Array {
  const count = logits.length;
  const padded = Math.ceil((count + 1) / LANES) * LANES;
  if (lists.size < Math.max(padded, PROBES * 2)) lists = listsOf(Math.max(padded, PROBES * 2));
  const { row, candidates, indices, probes } = lists;
  row.set(logits);
  for (let i = count; i < padded; i++) row[i] = NaN;

  const step = Math.max(1, Math.floor(count / PROBES));
  const probed = Math.ceil(count / step);
  for (let i = 0; i < probed; i++) probes[i] = logits[i * step];
  const rank = Math.min(probed, Math.ceil((MARGIN * k * probed) / count) + 2);
  let found = atLeast(borderOf(probes, probed, rank, ROUGH));
  if (found < k) found = atLeast(-Infinity);

  const border = borderOf(candidates, found, Math.min(k, found), EXACT);
  let kept = 0;
  for (let i = 0; i < found; i++) {
    indices[kept] = indices[i];
    kept += candidates[i] >= border ? 1 : 0;
  }
  return indices.subarray(0, kept);

  /** Those of the row become the candidates. */
  function atLeast(border: number): number {
    const { byteOffset } = row;
    const end = byteOffset + padded * BYTES;
    return kernel.at_least(byteOffset, end, border, candidates.byteOffset, indices.byteOffset);
  }
}

/** What the k largest of the first `count` numbers of a list of the kernel's reach. */
function borderOf(list: Float32Array, count: number, k: number, last: number): number {
  const padded = Math.ceil(count / LANES) * LANES;
  for (let i = count; i < padded; i++) list[i] = NaN;
  return kernel.border_of(list.byteOffset, list.byteOffset + padded * BYTES, k, last);
}
