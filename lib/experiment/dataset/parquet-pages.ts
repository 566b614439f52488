/** What the pages of a parquet file claim, before hyparquet believes it and fills memory with runs that never were. */
import type { AsyncBuffer, ColumnMetaData, Compressors, DataReader, FileMetaData } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import { parquetSchema } from 'hyparquet/src/metadata.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel, getTreePath } from 'hyparquet/src/schema.js';
import { readVarInt } from 'hyparquet/src/thrift.js';

/**
 * Walks the pages of a column chunk and the runs of their levels and dictionary indices (parquet-format's Encodings.md, "RLE/bit-packing
 * hybrid") without unpacking any.
 *
 * @returns how many values the pages hold, nulls included
 * @throws Error when the pages hold more values than the chunk, or a run more than its page
 */
export async function checkPages(
  file: AsyncBuffer,
  column: ColumnMetaData,
  metadata: FileMetaData,
  compressors: Compressors,
): Promise<number> {
  const path = getTreePath(parquetSchema(metadata), column.path_in_schema);
  const widths = [getMaxRepetitionLevel(path), getMaxDefinitionLevel(path)].map(bitWidth);
  const start = Number(column.dictionary_page_offset || column.data_page_offset);
  const chunk = new DataView(await file.slice(start, start + Number(column.total_compressed_size)));
  const reader: DataReader = { view: chunk, offset: 0 };
  let total = 0;
  while (reader.offset < chunk.byteLength - 1) {
    const header = parquetHeader(reader);
    const bytes = new Uint8Array(chunk.buffer, reader.offset, header.compressed_page_size);
    reader.offset += bytes.length;
    const unpack = (packed: Uint8Array, byteLength: number) =>
      decompressPage(packed, byteLength, column.codec, compressors);
    const { data_page_header: v1, data_page_header_v2: v2 } = header;
    const page = v1 ?? v2;
    if (!page || header.type === 'DICTIONARY_PAGE') continue;
    total += page.num_values;
    if (!(page.num_values >= 0) || total > column.num_values)
      throw new Error(`a page of column "${column.path_in_schema[0]}" claims ${page.num_values} values`);
    let values: DataView;
    if (v1) {
      values = viewOf(unpack(bytes, header.uncompressed_page_size));
      for (const width of widths.filter((bits) => bits > 0)) {
        const byteLength = values.getUint32(0, true);
        checkRuns(part(values, 4, byteLength), width, page.num_values);
        values = part(values, 4 + byteLength);
      }
    } else {
      const lengths = [v2!.repetition_levels_byte_length, v2!.definition_levels_byte_length];
      const levels = lengths[0] + lengths[1];
      lengths.forEach((byteLength, i) => {
        const at = i * lengths[0];
        if (widths[i] > 0) checkRuns(part(viewOf(bytes), at, byteLength), widths[i], page.num_values);
      });
      const packed = bytes.subarray(levels);
      values = viewOf(
        v2!.is_compressed === false ? packed : unpack(packed, header.uncompressed_page_size - levels),
      );
    }
    if (/DICTIONARY$/.test(page.encoding) && values.byteLength > 0) {
      const width = values.getUint8(0);
      if (width > 0) checkRuns(part(values, 1), width, page.num_values);
    } else if (page.encoding === 'RLE') {
      checkRuns(part(values, 4), 1, page.num_values);
    }
  }
  return total;
}

/** Only a run of equal values can be longer than the bytes it is read from. */
function checkRuns(view: DataView, width: number, values: number): void {
  const reader: DataReader = { view, offset: 0 };
  for (let seen = 0; seen < values && reader.offset < view.byteLength;) {
    const header = readVarInt(reader);
    const count = header >>> 1;
    const isBitPacked = (header & 1) === 1;
    if (!isBitPacked && count > values - seen)
      throw new Error(`a run of ${count} values is in a page of ${values}`);
    seen += isBitPacked ? 8 * count : count;
    reader.offset += isBitPacked ? count * width : Math.ceil(width / 8);
  }
}

const bitWidth = (maximum: number): number => 32 - Math.clz32(maximum);
const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const part = (view: DataView, from: number, byteLength?: number): DataView =>
  new DataView(view.buffer, view.byteOffset + from, byteLength ?? view.byteLength - from);
