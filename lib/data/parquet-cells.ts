import { isUtf8 } from 'node:buffer';
import type { AsyncBuffer, ColumnMetaData, SchemaTree } from 'hyparquet';
import { assembleLists, assembleNested } from 'hyparquet/src/assemble.js';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { getMaxDefinitionLevel, getTreePath } from 'hyparquet/src/schema.js';
import type { ColumnDecoder } from 'hyparquet/src/types.js';
import { compressors } from './parquet-compressors.js';
import { pageReader, type PageMemory } from './parquet-pages.js';

/** A text, or a list with all that is in it, as parquet stores it. */
interface Cell {
  repetitions: number[];
  definitions: number[];
  values: unknown[];
}

/** Eight codebooks of almost two hours; pages can claim far more in a few bytes. */
const MAX_CELL_VALUES = 2 ** 22;

/**
 * The cells of a column in a row group, one after the other.
 *
 * @param schema of the file
 * @throws Error when the pages do not hold what they claim, or text that is not UTF-8
 */
export async function* columnCells(
  file: AsyncBuffer,
  chunk: ColumnMetaData,
  schema: SchemaTree,
  memory: PageMemory,
): AsyncGenerator<unknown> {
  const { path_in_schema: pathInSchema, type, codec } = chunk;
  const schemaPath = getTreePath(schema, pathInSchema);
  const { element } = schemaPath.at(-1)!;
  const parsers = { ...DEFAULT_PARSERS, stringFromBytes: textReader(pathInSchema[0]) };
  const decoder = { pathInSchema, type, element, schemaPath, codec, compressors, parsers };
  const maxDefinition = getMaxDefinitionLevel(schemaPath);
  const nextPage = pageReader(file, chunk, decoder, memory);
  let cell = emptyCell();
  for (let page = await nextPage(); page; page = await nextPage()) {
    for (let i = 0; i < page.values; i++) {
      const repetition = page.nextRepetition();
      // A cell ends where the next begins, which may be in the next page.
      if (repetition === 0 && cell.definitions.length > 0) {
        yield assemble(cell, decoder);
        cell = emptyCell();
      }
      const definition = page.nextDefinition();
      cell.repetitions.push(repetition);
      cell.definitions.push(definition);
      if (definition === maxDefinition) cell.values.push(page.nextValue());
      if (cell.definitions.length > MAX_CELL_VALUES)
        throw new Error(`a row of column "${pathInSchema[0]}" has more than ${MAX_CELL_VALUES} values`);
    }
  }
  if (cell.definitions.length > 0) yield assemble(cell, decoder);
}

/** hyparquet's own puts replacement characters where bytes are no text. */
function textReader(column: string) {
  return (bytes: Uint8Array): string => {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (isUtf8(buffer)) return buffer.toString('utf8');
    const asLatin1 = JSON.stringify(buffer.toString('latin1', 0, 40));
    throw new Error(`column "${column}" holds a text that is not UTF-8 (in Latin-1 it begins ${asLatin1})`);
  };
}

const emptyCell = (): Cell => ({ repetitions: [], definitions: [], values: [] });

function assemble({ repetitions, definitions, values }: Cell, decoder: ColumnDecoder): unknown {
  const { pathInSchema, schemaPath, parsers } = decoder;
  const cells = assembleLists([], definitions, repetitions, values, schemaPath);
  const columns = new Map([[pathInSchema.join('.'), cells]]);
  assembleNested(columns, schemaPath[1], parsers);
  return columns.get(pathInSchema[0])?.[0];
}
