/** Rows of different lengths as one array: padded ids and the masks that go with them. */
import type { ModelConfig } from './architecture.js';

type Row = readonly number[];

/** Added to an attention score that must not count. Finite, so that a row without open positions stays a number; its exp() is 0 in float32. */
export const MASKED = -1e9;

/**
 * The smallest multiple of `step` that holds every length, never above the model's positions. A compiled program belongs to its
 * shapes: rounding keeps them few.
 *
 * @throws Error when a length is above the model's positions
 */
export function steppedLength(
  lengths: readonly number[],
  step: number,
  config: Pick<ModelConfig, 'max_position_embeddings'>,
): number {
  const longest = Math.max(...lengths);
  if (longest > config.max_position_embeddings)
    throw new Error(`${longest} ids are more than the model's ${config.max_position_embeddings} positions`);
  return Math.min(Math.ceil(longest / step) * step, config.max_position_embeddings);
}

/** What is longer than its place would be written into the next row's. */
function checkLength(row: { readonly length: number }, length: number): void {
  if (row.length > length) throw new RangeError(`a row of ${row.length} is padded to ${length}`);
}

/**
 * What is no id of the model would be looked up all the same, or end in the engine.
 *
 * @param what whose ids they are: "a prompt"
 * @throws RangeError in one sentence for ids that are no list, or not the model's
 */
export function checkIds(ids: Row, { vocab_size }: Pick<ModelConfig, 'vocab_size'>, what: string): void {
  // What a program in JavaScript gives may be anything, such as text.
  if (!Array.isArray(ids) && !ArrayBuffer.isView(ids))
    throw new RangeError(
      `${what} must be a list of token ids, as packPrompt and packCompletion make them, not ${typeof ids}`,
    );
  const foreign = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocab_size));
  if (foreign !== undefined)
    throw new RangeError(`${what} has the id ${foreign}, but the model has ids from 0 to ${vocab_size - 1}`);
}

/** Rows of ids padded to [rows, length]. @throws RangeError for a longer row, as the other functions do */
export function padIds(rows: readonly Row[], length: number, pad: number): Int32Array {
  const ids = new Int32Array(rows.length * length).fill(pad);
  rows.forEach((row, i) => {
    checkLength(row, length);
    ids.set(row, i * length);
  });
  return ids;
}

/** Rows of positions, each of at most `idsPerPosition` ids, padded to [rows, length, idsPerPosition]. */
export function padPositions(
  rows: readonly (readonly Row[])[],
  length: number,
  idsPerPosition: number,
  pad: number,
): Int32Array {
  const ids = new Int32Array(rows.length * length * idsPerPosition).fill(pad);
  rows.forEach((positions, row) => {
    checkLength(positions, length);
    positions.forEach((position, i) => {
      checkLength(position, idsPerPosition);
      ids.set(position, (row * length + i) * idsPerPosition);
    });
  });
  return ids;
}

/** A value for each position of [rows, length]: `inside` the row, `outside` in its padding. */
export function lengthMask(
  rows: readonly { readonly length: number }[],
  length: number,
  inside: number,
  outside: number,
): Float32Array {
  const mask = new Float32Array(rows.length * length).fill(outside);
  rows.forEach((row, i) => {
    checkLength(row, length);
    mask.fill(inside, i * length, i * length + row.length);
  });
  return mask;
}

/** Additive attention mask [rows, length]. */
export function attentionMask(rows: readonly { readonly length: number }[], length: number): Float32Array {
  return lengthMask(rows, length, 0, MASKED);
}

/** The additive mask of a causal decoder: [T, T], MASKED above the diagonal. */
export function causalMask(length: number): Float32Array {
  return Float32Array.from({ length: length * length }, (_, i) =>
    i % length > Math.floor(i / length) ? MASKED : 0,
  );
}
