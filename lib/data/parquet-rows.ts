import { parquetMetadataAsync, parquetSchema } from 'hyparquet';
import type { AsyncBuffer, ColumnMetaData, RowGroup } from 'hyparquet';
import { readFully } from '../checkpoint/files.js';
import { openGivenFile } from '../checkpoint/given-file.js';
import { columnCells } from './parquet-cells.js';
import { pageMemory } from './parquet-pages.js';

/** Magic bytes at both ends, and the length of the metadata. */
const SHORTEST_FILE_BYTES = 12;

/**
 * The rows of a parquet file as objects. One row is in memory, and of each column one page.
 *
 * @param isWanted which columns are read, by name
 * @throws Error naming the file when it is damaged or compressed in a way that is not supported
 */
export async function* parquetRows(
  file: string,
  isWanted: (column: string) => boolean,
): AsyncGenerator<Record<string, unknown>> {
  const { handle, size } = await openGivenFile(file);
  try {
    if (size < SHORTEST_FILE_BYTES) throw new Error(`it has ${size} bytes, too few for any`);
    const buffer: AsyncBuffer = {
      byteLength: size,
      slice: async (start, end = size) => (await readFully(handle, start, end - start, file)).buffer,
    };
    // The search for geometries goes round and round in a damaged schema.
    const metadata = await parquetMetadataAsync(buffer, { geoparquet: false });
    const schema = parquetSchema(metadata);
    const columns = schema.children
      .map(({ element }) => ({ name: element.name, memory: pageMemory() }))
      .filter(({ name }) => isWanted(name));
    for (const group of metadata.row_groups) {
      const cells = columns.map(({ name, memory }) => ({
        name,
        values: columnCells(buffer, findChunk(group, name), schema, memory),
      }));
      for (let i = 0; i < group.num_rows; i++) {
        const row: Record<string, unknown> = {};
        for (const { name, values } of cells) {
          const { value, done } = await values.next();
          if (done) throw new Error(`it claims ${group.num_rows} rows, but column "${name}" has ${i}`);
          row[name] = value;
        }
        yield row;
      }
    }
  } catch (error) {
    throw new Error(`${file} cannot be read as parquet: ${(error as Error).message}.`, { cause: error });
  } finally {
    await handle.close();
  }
}

function findChunk({ columns }: RowGroup, name: string): ColumnMetaData {
  const chunks = columns.filter(({ meta_data: chunk }) => chunk?.path_in_schema[0] === name);
  if (chunks.length !== 1) throw new Error(`its column "${name}" is neither of texts nor of lists`);
  if (chunks[0].file_path) throw new Error(`its column "${name}" is in another file`);
  return chunks[0].meta_data!;
}
