import { checkCodes } from '../codec/check-codes.js';
import type { Codec, Codes } from '../codec/codec.js';
import { sentenceOf } from '../plain-error.js';

export type CodecShape = Pick<Codec, 'codebooks' | 'codebookSize'>;

type List = ArrayLike<unknown>;

/** So many different counts of codebooks, all of one length, are counts of frames. */
const MOST_COUNTS = 2;

/**
 * The codes of one recording, from a field `name` or fields `name_0`, `name_1`, ...; codebooks that the codec lacks are dropped.
 *
 * @throws Error naming the field, and the codebook and frame that is wrong
 */
export function parseCodes(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  { codebooks, codebookSize }: CodecShape,
): Codes {
  const lists =
    name in fields
      ? fields[name]
      : Array.from({ length: codebooks }, (_, codebook) => fields[`${name}_${codebook}`]);
  if (!Array.isArray(lists) || lists.length < codebooks || !lists.slice(0, codebooks).every(isList)) {
    throw new Error(
      `${name} must be ${codebooks} lists of codes, as ${name} or as ${name}_0 to ${name}_${codebooks - 1}.`,
    );
  }
  if (lists.length > codebooks) refuseFrames(lists, name, codebooks);
  const codes = (lists as List[]).slice(0, codebooks).map((list, codebook) =>
    Array.from(list, (value, frame) => {
      // Parquet's int64 comes as bigint.
      const code = typeof value === 'bigint' ? Number(value) : value;
      if (typeof code === 'number' && Number.isInteger(code) && code >= 0 && code < codebookSize) return code;
      throw new Error(
        `${name}: Codebook ${codebook} holds ${describe(value)} in frame ${frame}; codes are whole numbers from 0 to ${codebookSize - 1}.`,
      );
    }),
  );
  try {
    checkCodes(codes, codebooks, codebookSize);
  } catch (error) {
    throw new Error(`${name}: ${sentenceOf(error)}`, { cause: error });
  }
  if (codes[0].length === 0) throw new Error(`${name} has no frames.`);
  return codes;
}

/**
 * A list of codes a frame would pass for codebooks, all but the first dropped. A recording has fewer codebooks than frames, except a
 * fraction of a second.
 */
function refuseFrames(lists: readonly unknown[], name: string, codebooks: number): void {
  const length = commonLength(lists);
  if (length === undefined || length >= lists.length) return;
  throw new Error(
    `${name} has ${lists.length} lists of ${length} codes, as if each were a frame: it must have a list for each codebook, so transpose it; if these are ${lists.length} codebooks, keep the first ${codebooks}.`,
  );
}

/**
 * Watches the shapes of a dataset's codes: a list of codes a frame passes for codebooks where recordings have fewer frames than codebooks,
 * but then the counts of lists vary, and their length never does.
 *
 * @returns a function to call with every row, which throws where that is so
 */
export function shapeWatch(names: readonly string[]): (row: unknown) => void {
  const counts = new Set<number>();
  const lengths = new Set<number | undefined>();
  return (row) => {
    for (const name of names) {
      const lists = (row as Record<string, unknown>)[name];
      if (!Array.isArray(lists)) continue;
      counts.add(lists.length);
      lengths.add(commonLength(lists));
      if (lengths.size > 1 || counts.size <= MOST_COUNTS) continue;
      const [length] = lengths;
      throw new Error(
        `${name} has ${lists.length} lists of ${length} codes, and items before have other counts of lists, all of ${length}, as if each were a frame: there must be a list for each codebook, so transpose them.`,
      );
    }
  };
}

/** Undefined unless all are lists of the same length. */
function commonLength(lists: readonly unknown[]): number | undefined {
  const [first] = lists;
  if (!isList(first)) return undefined;
  return lists.every((list) => isList(list) && list.length === first.length) ? first.length : undefined;
}

/** A JSON array, or the typed array that a parquet column may come as. */
function isList(value: unknown): value is List {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  return typeof value === 'object' && value !== null ? 'an object' : String(value ?? null);
}
