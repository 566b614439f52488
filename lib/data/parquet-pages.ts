/** The pages of a parquet column, one at a time, and value by value: a run takes no memory, however long it says it is. */
import type { AsyncBuffer, ColumnMetaData, DataReader } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { convert } from 'hyparquet/src/convert.js';
import { decompressPage, readDataPage } from 'hyparquet/src/datapage.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel } from 'hyparquet/src/schema.js';
import { snappyUncompress } from 'hyparquet/src/snappy.js';
import type { ColumnDecoder, DataPageHeader, DecodedArray, PageHeader } from 'hyparquet/src/types.js';
import { hybridReader } from './parquet-hybrid.js';

export interface Page {
  /** Nulls and empty lists included, which have levels only. */
  values: number;
  nextRepetition(): number;
  nextDefinition(): number;
  nextValue(): unknown;
}

/** Gives out the same memory again and again. */
export type PageMemory = (byteLength: number) => Uint8Array;

/** Pages of most writers have 1 MB, of some 100 MB; a few bytes can claim 2 GB. */
const MAX_PAGE_BYTES = 2 ** 29;

/** How many plain values are read at a time. */
const PLAIN_VALUES = 1024;

/** Pages that stay for many rows, each with memory of its own, would pile up until a full garbage collection. */
export function pageMemory(): PageMemory {
  let memory = new Uint8Array(0);
  return (byteLength) => {
    if (byteLength > memory.length) memory = new Uint8Array(2 ** Math.ceil(Math.log2(byteLength)));
    return memory.subarray(0, byteLength);
  };
}

/**
 * @returns a function that gives the next data page of a column chunk; the page before is gone then
 * @throws Error when the pages hold more values than the chunk
 */
export function pageReader(
  file: AsyncBuffer,
  chunk: ColumnMetaData,
  decoder: ColumnDecoder,
  memory: PageMemory,
): () => Promise<Page | undefined> {
  const [name] = decoder.pathInSchema;
  let at = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
  const end = at + Number(chunk.total_compressed_size);
  if (!(at >= 0 && end <= file.byteLength)) throw new Error(`column "${name}" ends outside of the file`);
  let dictionary: DecodedArray | undefined;
  let left = Number(chunk.num_values);
  return async () => {
    while (at < end - 1) {
      const { header, headerEnd } = await fetchHeader(file, at, end);
      at = headerEnd + header.compressed_page_size;
      if (!(at >= headerEnd && at <= end)) throw new Error(`a page of column "${name}" ends outside of it`);
      const bytes = unpack(new Uint8Array(await file.slice(headerEnd, at)), header, decoder, memory);
      if (header.type === 'DICTIONARY_PAGE') {
        dictionary = readDictionary(bytes, header, decoder);
        continue;
      }
      const page = openPage(bytes, header, decoder, dictionary, left);
      left -= page.values;
      return page;
    }
    return undefined;
  };
}

/** Headers do not tell their length, and statistics may make them long. */
async function fetchHeader(
  file: AsyncBuffer,
  start: number,
  end: number,
): Promise<{ header: PageHeader; headerEnd: number }> {
  for (let length = 1024; ; length *= 16) {
    const view = new DataView(await file.slice(start, Math.min(start + length, end)));
    const reader: DataReader = { view, offset: 0 };
    try {
      return { header: parquetHeader(reader), headerEnd: start + reader.offset };
    } catch (error) {
      if (start + length >= end) throw error;
    }
  }
}

/** A page's levels and values without compression. */
function unpack(
  packed: Uint8Array,
  header: PageHeader,
  decoder: ColumnDecoder,
  memory: PageMemory,
): Uint8Array {
  const { uncompressed_page_size: size } = header;
  if (!(size >= 0 && size <= MAX_PAGE_BYTES))
    throw new Error(
      `a page of column "${decoder.pathInSchema[0]}" claims ${size} bytes, at most ${MAX_PAGE_BYTES} are read`,
    );
  const v2 = ofVersion2(header);
  const codec = v2?.is_compressed === false ? 'UNCOMPRESSED' : decoder.codec;
  const levels = v2 ? v2.repetition_levels_byte_length + v2.definition_levels_byte_length : 0;
  const bytes = memory(size);
  bytes.set(packed.subarray(0, levels));
  const from = packed.subarray(levels);
  const to = bytes.subarray(levels);
  if (codec === 'SNAPPY') snappyUncompress(from, to);
  else to.set(decompressPage(from, to.length, codec, decoder.compressors));
  return bytes;
}

function readDictionary(bytes: Uint8Array, header: PageHeader, decoder: ColumnDecoder): DecodedArray {
  const count = header.dictionary_page_header?.num_values ?? 0;
  // hyparquet reads on behind a view's end, where pages before have left their bytes.
  const reader: DataReader = { view: viewOf(bytes.slice()), offset: 0 };
  const values = convert(readPlain(reader, decoder.type, count, decoder.element.type_length), decoder);
  // An array of 64-bit integers makes an object each time that one is read.
  return Array.from(values, (value: unknown) => (typeof value === 'bigint' ? Number(value) : value));
}

function openPage(
  bytes: Uint8Array,
  header: PageHeader,
  decoder: ColumnDecoder,
  dictionary: DecodedArray | undefined,
  maxValues: number,
): Page {
  const v2 = ofVersion2(header);
  const page = v2 ?? header.data_page_header;
  if (!page) throw new Error(`a page of type ${header.type} is not supported`);
  const { num_values: values, encoding } = page;
  if (!(values >= 0 && values <= maxValues))
    throw new Error(`a page of column "${decoder.pathInSchema[0]}" claims ${values} values`);
  let rest = bytes;
  const cut = (byteLength: number): Uint8Array => {
    if (!(byteLength >= 0 && byteLength <= rest.length)) throw new Error('a page ends within its levels');
    const part = rest.subarray(0, byteLength);
    rest = rest.subarray(byteLength);
    return part;
  };
  const readLevels = (maximum: number, byteLength?: number): (() => () => number) => {
    const width = 32 - Math.clz32(maximum);
    const levels = cut(byteLength ?? (width > 0 ? viewOf(cut(4)).getUint32(0, true) : 0));
    return () => hybridReader(levels, width, values);
  };
  const maxDefinition = getMaxDefinitionLevel(decoder.schemaPath);
  const repetitions = readLevels(
    getMaxRepetitionLevel(decoder.schemaPath),
    v2?.repetition_levels_byte_length,
  );
  const definitions = readLevels(maxDefinition, v2?.definition_levels_byte_length);
  const levels = { values, nextRepetition: repetitions(), nextDefinition: definitions() };
  if (encoding.endsWith('DICTIONARY')) {
    if (!dictionary) throw new Error('a page lacks its dictionary');
    const nextIndex = hybridReader(rest.subarray(1), rest[0], values);
    return { ...levels, nextValue: () => dictionary[nextIndex()] };
  }
  const nextDefinition = definitions();
  let present = 0;
  for (let i = 0; i < values; i++) if (nextDefinition() === maxDefinition) present += 1;
  return { ...levels, nextValue: valueReader(rest, encoding, present, decoder) };
}

/**
 * Reads values that are not in a dictionary.
 *
 * @throws Error when they are truth values in runs, which could be longer than their page
 */
function valueReader(
  bytes: Uint8Array,
  encoding: DataPageHeader['encoding'],
  count: number,
  decoder: ColumnDecoder,
): () => unknown {
  if (encoding === 'RLE') throw new Error(`column "${decoder.pathInSchema[0]}" holds truth values`);
  const { type, element } = decoder;
  const reader: DataReader = { view: viewOf(bytes), offset: 0 };
  let left = count;
  const read = (): DecodedArray => {
    if (encoding !== 'PLAIN') {
      const header = { num_values: left, encoding } as DataPageHeader;
      return readDataPage(bytes.slice(), header, { ...decoder, schemaPath: [] }).dataPage;
    }
    const values = readPlain(reader, type, Math.min(left, PLAIN_VALUES), element.type_length);
    if (reader.offset > bytes.length) throw new Error('a page ends within its values');
    return values;
  };
  let values: DecodedArray = [];
  let at = 0;
  return () => {
    if (at === values.length) {
      values = convert(read(), decoder);
      left -= values.length;
      at = 0;
    }
    return values[at++];
  };
}

const ofVersion2 = (header: PageHeader) =>
  header.type === 'DATA_PAGE_V2' ? header.data_page_header_v2 : undefined;
const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
