import { extname } from 'node:path';
import { textChunks, textLines } from '../checkpoint/text-file.js';
import { jsonElements } from './json-elements.js';

/**
 * The elements of a JSON file, parsed, one at a time: of an array, or of JSON Lines, by what the file holds. Its name decides only where
 * it begins with neither.
 *
 * @throws Error naming the file, and the element or line that is not JSON
 */
export async function* jsonRows(file: string): AsyncGenerator<unknown> {
  const first = await firstCharacter(file);
  const isArray = first === '[' || (first !== '{' && extname(file).toLowerCase() === '.json');
  yield* isArray ? jsonElements(textChunks(file), file) : jsonLines(file);
}

/** Undefined in a file of blanks. */
async function firstCharacter(file: string): Promise<string | undefined> {
  for await (const chunk of textChunks(file)) {
    const text = chunk.trimStart();
    if (text !== '') return text[0];
  }
  return undefined;
}

async function* jsonLines(file: string): AsyncGenerator<unknown> {
  let number = 0;
  for await (const line of textLines(file)) {
    number += 1;
    if (line.trim() === '') continue;
    try {
      yield JSON.parse(line);
    } catch {
      const what = extname(file).toLowerCase() === '.json' ? 'neither a JSON array nor JSON Lines: ' : '';
      throw new Error(`${file}: ${what}line ${number} is not JSON.`);
    }
  }
}
