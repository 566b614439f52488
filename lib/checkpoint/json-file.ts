import { readFile } from 'node:fs/promises';
import { cannotRead } from './files.js';

/** Reads and parses a JSON file; the error names the file. */
export async function readJsonFile(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch(cannotRead(file));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${file} is not valid JSON: ${(error as Error).message}.`);
  }
}
