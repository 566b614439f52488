import { readFile } from 'node:fs/promises';

/** Reads and parses a JSON file; the error names the file. */
export async function readJsonFile(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      error.code === 'ENOENT' ? `${file} does not exist.` : `cannot read ${file}: ${error.message}.`,
    );
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${file} is not valid JSON: ${(error as Error).message}.`);
  }
}
