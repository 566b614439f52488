/** Items of a dataset in the research code's formats, one after the other. */
import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { HALF_CHARACTER, isWholeText } from '../checkpoint/text-file.js';
import { sentenceOf } from '../plain-error.js';
import type { DatasetItem } from './item.js';
import { chooseDataFiles, DATA_EXTENSIONS, dataExtension } from './choose-files.js';
import { parseCodes, shapeWatch, type CodecShape } from './item-codes.js';
import { jsonRows } from './json-rows.js';

const RECORDINGS = ['src_encodec', 'tgt_encodec'] as const;

/**
 * Reads a dataset: a .json or .jsonl file (an array of items, or an item a line), a .parquet file, or a folder of them, as the Hugging Face
 * hub names them (of several splits the one called train). An item has `instruction`, and the codes of its recordings either as
 * `src_encodec` and `tgt_encodec` (a list a codebook) or as `src_encodec_0`, `src_encodec_1`, ... and `tgt_encodec_0`, ...; it may have
 * `text`, the words that are spoken. Further fields are ignored. One item at a time is in memory.
 *
 * @throws Error naming file, item and what is wrong with it
 */
export async function* readItems(path: string, codec: CodecShape): AsyncGenerator<DatasetItem> {
  const watch = shapeWatch(RECORDINGS);
  for (const file of await findDataFiles(path)) {
    let index = 0;
    for await (const row of await rowsOf(file)) {
      const where = `${file}: item ${index++}`;
      try {
        const item = parseItem(row, codec);
        watch(row);
        yield item;
      } catch (error) {
        throw new Error(`${where}: ${sentenceOf(error)}`, { cause: error });
      }
    }
  }
}

/** The decoders of parquet are loaded where there is such a file. */
async function rowsOf(file: string): Promise<AsyncIterable<unknown>> {
  if (dataExtension(file) !== '.parquet') return jsonRows(file);
  return (await import('./parquet-rows.js')).parquetRows(file, isItemField);
}

async function findDataFiles(path: string): Promise<string[]> {
  const known = DATA_EXTENSIONS.join(', ');
  const entry = await stat(path).catch(() => undefined);
  if (!entry) throw new Error(`${path} does not exist: give a dataset (${known}) or a folder of them.`);
  if (!entry.isDirectory()) {
    if (DATA_EXTENSIONS.includes(dataExtension(path))) return [path];
    throw new Error(`${path} is not a dataset: its name must end in ${known}.`);
  }
  const files = chooseFrom(path, await listFiles(path));
  if (files.length === 0) throw new Error(`${path} has no dataset in it: no file that ends in ${known}.`);
  return files.map((name) => join(path, name));
}

/** All that is in a folder and the folders in it, by names that begin there, with "/" between. */
async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

function chooseFrom(path: string, names: readonly string[]): string[] {
  try {
    return chooseDataFiles(names);
  } catch (error) {
    throw new Error(`${path}: ${sentenceOf(error)}`, { cause: error });
  }
}

function isItemField(name: string): boolean {
  return /^(instruction|text|(src|tgt)_encodec(_\d+)?)$/.test(name);
}

/** @throws Error saying which field is missing or wrong */
export function parseItem(row: unknown, codec: CodecShape): DatasetItem {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new Error('is not an object.');
  const fields = row as Record<string, unknown>;
  const { instruction, text } = fields;
  if (typeof instruction !== 'string') throw new Error('instruction must be a text.');
  if (instruction.trim() === '') throw new Error('instruction is empty: it must say what to do.');
  if (!isWholeText(instruction)) throw new Error(`instruction ${HALF_CHARACTER}.`);
  return {
    instruction,
    src_encodec: parseCodes(fields, 'src_encodec', codec),
    tgt_encodec: parseCodes(fields, 'tgt_encodec', codec),
    ...parseText(text),
  };
}

/** A column of a parquet file has null where an item lacks the field. */
function parseText(text: unknown): Pick<DatasetItem, 'text'> {
  if (text === undefined || text === null) return {};
  if (typeof text !== 'string') throw new Error('text must be a text, the words that are spoken.');
  if (!isWholeText(text)) throw new Error(`text ${HALF_CHARACTER}.`);
  return { text };
}
