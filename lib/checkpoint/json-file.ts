import { readTextFile } from './text-file.js';

/** What works on JSON recursively need not fear for its stack. */
const MAX_LEVELS = 200;

/**
 * Reads and parses a JSON file.
 *
 * @throws Error naming the file when it is missing, not UTF-8, not JSON, or nested deeper than 200 levels
 */
export async function readJsonFile(file: string): Promise<unknown> {
  return parseJson(await readTextFile(file), file);
}

/**
 * Parses the text of a JSON file.
 *
 * @throws Error naming the file when the text is not JSON, or nested deeper than 200 levels
 */
export function parseJson(text: string, file: string): unknown {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Error(`${file} is not valid JSON: ${(error as Error).message}.`);
  }
  refuseDepth(content, file);
  return content;
}

/** @throws Error that begins with `what` when a JSON value is nested deeper than 200 levels */
export function refuseDepth(content: unknown, what: string): void {
  if (isDeeper(content, MAX_LEVELS)) throw new Error(`${what} is nested deeper than ${MAX_LEVELS} levels.`);
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((part) => isDeeper(part, levels - 1));
}
