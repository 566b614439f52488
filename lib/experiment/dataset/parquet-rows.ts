import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type Compressors,
  type FileMetaData,
  type SchemaElement,
  type SchemaTree,
} from 'hyparquet';
import { checkPages } from './parquet-pages.js';

/** Beside Snappy, which hyparquet reads itself and datasets on the hub are written with. */
const compressors: Compressors = {
  GZIP: (bytes) => gunzipSync(bytes),
  BROTLI: (bytes) => brotliDecompressSync(bytes),
};

/**
 * The rows of a parquet file as objects, lists of numbers as typed arrays. One row group is in memory, and of it only one column as
 * hyparquet gives it.
 *
 * @param isWanted which columns are read, by name
 * @throws Error naming the file when it is damaged or compressed in a way that is not supported
 */
export async function* parquetRows(
  file: string,
  isWanted: (column: string) => boolean,
): AsyncGenerator<Record<string, unknown>> {
  try {
    const buffer = await asyncBufferFromFile(file);
    const metadata = withPlainIntegers(await parquetMetadataAsync(buffer));
    checkPaths(metadata);
    const columns = parquetSchema(metadata)
      .children.map(({ element }) => element.name)
      .filter(isWanted);
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      for (const { meta_data: column } of group.columns) {
        if (!column || !columns.includes(column.path_in_schema[0])) continue;
        const values = await checkPages(buffer, column, metadata, compressors);
        if (group.num_rows > values) throw new Error(`it claims ${group.num_rows} rows of ${values} values`);
      }
      const rowEnd = rowStart + Number(group.num_rows);
      const rows = Array.from({ length: rowEnd - rowStart }, (): Record<string, unknown> => ({}));
      for (const column of columns) {
        const range = { columns: [column], rowStart, rowEnd };
        const values = await parquetReadObjects({ file: buffer, metadata, compressors, ...range });
        values.forEach((value, i) => (rows[i][column] = compact(value[column])));
      }
      // Rows that have been given away may be freed while the others are read.
      rows.reverse();
      while (rows.length > 0) yield rows.pop()!;
      rowStart = rowEnd;
    }
  } catch (error) {
    throw new Error(`${file} cannot be read as parquet: ${(error as Error).message}.`, { cause: error });
  }
}

/** Lists of whole numbers, at any depth, as arrays of four bytes a number. */
function compact(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const isWhole = (item: unknown) =>
    (typeof item === 'number' || typeof item === 'bigint') && (Number(item) | 0) === Number(item);
  return value.length > 0 && value.every(isWhole) ? Int32Array.from(value, Number) : value.map(compact);
}

/**
 * 64-bit integers as decimals without decimal places, which hyparquet reads as numbers: of integers it makes bigints, an object for each
 * of millions of codes.
 */
function withPlainIntegers(metadata: FileMetaData): FileMetaData {
  const schema = metadata.schema.map((element): SchemaElement => {
    const { type, logical_type: logical, converted_type: converted } = element;
    const isInteger = logical ? logical.type === 'INTEGER' : !converted || /^U?INT_64$/.test(converted);
    if (type !== 'INT64' || !isInteger) return element;
    return { ...element, logical_type: undefined, converted_type: 'DECIMAL', scale: 0 };
  });
  return { ...metadata, schema };
}

/** Columns that the schema does not have would fail inside hyparquet where nobody awaits them. */
function checkPaths(metadata: FileMetaData): void {
  const root = parquetSchema(metadata);
  for (const { columns } of metadata.row_groups) {
    for (const { meta_data: column } of columns) {
      const path = column?.path_in_schema ?? [];
      const find = (tree: SchemaTree | undefined, name: string) =>
        tree?.children.find(({ element }) => element.name === name);
      const leaf = path.reduce(find, root);
      if (!leaf || leaf.children.length > 0) throw new Error(`its schema has no column "${path.join('.')}"`);
    }
  }
}
