import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type Compressors,
  type FileMetaData,
  type SchemaTree,
} from 'hyparquet';

/** Rows decoded at once: a few megabytes of codes. */
const ROWS_AT_ONCE = 100;

/** Beside Snappy, which hyparquet reads itself and datasets on the hub are written with. */
const compressors: Compressors = {
  GZIP: (bytes) => gunzipSync(bytes),
  BROTLI: (bytes) => brotliDecompressSync(bytes),
};

/**
 * The rows of a parquet file as objects, a part of a row group at a time.
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
    const metadata = await parquetMetadataAsync(buffer);
    checkPaths(metadata);
    const columns = parquetSchema(metadata)
      .children.map(({ element }) => element.name)
      .filter(isWanted);
    const rows = Number(metadata.num_rows);
    for (let rowStart = 0; rowStart < rows; rowStart += ROWS_AT_ONCE) {
      const rowEnd = Math.min(rowStart + ROWS_AT_ONCE, rows);
      yield* await parquetReadObjects({ file: buffer, metadata, columns, rowStart, rowEnd, compressors });
    }
  } catch (error) {
    throw new Error(`${file} cannot be read as parquet: ${(error as Error).message}.`, { cause: error });
  }
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
