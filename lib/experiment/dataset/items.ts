/** Items of a dataset in the original's formats, one after the other. */
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { checkCodes } from '../../codec/check-codes.js';
import type { Codec, Codes, DatasetItem } from '../../codec/codec.js';
import { jsonRows } from './json-rows.js';
import { parquetRows } from './parquet-rows.js';

type CodecShape = Pick<Codec, 'codebooks' | 'codebookSize'>;
type Fields = Record<string, unknown>;

/** Rows of each kind of file, by its extension. */
const READERS: Record<string, (file: string) => AsyncIterable<unknown>> = {
  '.parquet': (file) => parquetRows(file, isItemField),
  '.jsonl': jsonRows,
  '.json': jsonRows,
};

/** What datasets saved by Python's `datasets` hold beside their data. */
const METADATA_FILES = ['dataset_info.json', 'dataset_dict.json', 'dataset_infos.json', 'state.json'];

/**
 * Reads a dataset: a .json file (an array of items), a .jsonl file (an item a line), a .parquet file, or a folder of them. An item has
 * `instruction`, and the codes of its recordings either as `src_encodec` and `tgt_encodec` (a list a codebook) or as `src_encodec_0`,
 * `src_encodec_1`, ... and `tgt_encodec_0`, ...; further fields are ignored. One item at a time is in memory.
 *
 * @throws Error naming file, item and what is wrong with it
 */
export async function* readItems(path: string, codec: CodecShape): AsyncGenerator<DatasetItem> {
  for (const file of await findDataFiles(path)) {
    let index = 0;
    for await (const row of READERS[extname(file)](file)) {
      const where = `${file}: item ${index++}`;
      try {
        yield parseItem(row, codec);
      } catch (error) {
        throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
      }
    }
  }
}

/**
 * Which of a dataset's files are read, by their names: those of one kind (parquet before JSON Lines before JSON), of the "train" split
 * where names tell splits apart, in the order of their names.
 */
export function chooseDataFiles(names: readonly string[]): string[] {
  for (const extension of Object.keys(READERS)) {
    const ofKind = names.filter(
      (name) => extname(name) === extension && !METADATA_FILES.includes(name.split('/').at(-1)!),
    );
    const train = ofKind.filter((name) => name.includes('train'));
    if (ofKind.length > 0) return (train.length > 0 ? train : ofKind).sort();
  }
  return [];
}

async function findDataFiles(path: string): Promise<string[]> {
  const known = Object.keys(READERS).join(', ');
  const entry = await stat(path).catch(() => undefined);
  if (!entry) throw new Error(`${path} does not exist: give a dataset (${known}) or a folder of them.`);
  if (!entry.isDirectory()) {
    if (Object.hasOwn(READERS, extname(path))) return [path];
    throw new Error(`${path} is not a dataset: its name must end in ${known}.`);
  }
  const names = await readdir(path, { recursive: true });
  const files = chooseDataFiles(names.map((name) => name.replaceAll('\\', '/')));
  if (files.length === 0) throw new Error(`${path} has no dataset in it: no file that ends in ${known}.`);
  return files.map((name) => join(path, name));
}

function isItemField(name: string): boolean {
  return /^(instruction|(src|tgt)_encodec(_\d+)?)$/.test(name);
}

/** @throws Error saying which field is missing or wrong */
export function parseItem(row: unknown, codec: CodecShape): DatasetItem {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new Error('is not an object.');
  const fields = row as Fields;
  const { instruction } = fields;
  if (typeof instruction !== 'string' || instruction === '') throw new Error('instruction must be a text.');
  return {
    instruction,
    src_encodec: parseCodes(fields, 'src_encodec', codec),
    tgt_encodec: parseCodes(fields, 'tgt_encodec', codec),
  };
}

function parseCodes(fields: Fields, name: string, { codebooks, codebookSize }: CodecShape): Codes {
  const lists =
    name in fields
      ? fields[name]
      : Array.from({ length: codebooks }, (_, codebook) => fields[`${name}_${codebook}`]);
  if (!Array.isArray(lists) || lists.length < codebooks || !lists.slice(0, codebooks).every(isList)) {
    throw new Error(
      `${name} must be ${codebooks} lists of codes, as ${name} or as ${name}_0 to ${name}_${codebooks - 1}.`,
    );
  }
  // Parquet's int64 comes as bigint.
  const codes = lists.slice(0, codebooks).map((list) => Array.from(list as ArrayLike<unknown>, Number));
  try {
    checkCodes(codes, codebooks, codebookSize);
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
  if (codes[0].length === 0) throw new Error(`${name} has no frames.`);
  return codes;
}

/** A JSON array, or the typed array that a parquet column may come as. */
function isList(value: unknown): boolean {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}
