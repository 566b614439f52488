/** One element of a JSON array of any length at a time. */

const MAX_ELEMENT_CHARACTERS = 64 * 2 ** 20;

const OPENING = new Set(['{', '[']);
const CLOSING = new Set(['}', ']']);
/** Between a key and its value, and between elements. */
const BLANK = /^\s*$/;

/**
 * The elements of the JSON array that `chunks` spell, parsed. Only the text of one element is in memory.
 *
 * @param file stands for it in messages
 * @throws Error when it is no JSON array, or cut short
 */
export async function* jsonElements(chunks: AsyncIterable<string>, file: string): AsyncGenerator<unknown> {
  let text = '';
  let index = 0;
  let depth = 0;
  let inString = false;
  let escaped = false;
  let state: 'before' | 'inside' | 'after' = 'before';
  const fail = (reason: string): never => {
    throw new Error(`${file}: ${reason}.`);
  };
  const parse = (): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return fail(`element ${index} is not JSON`);
    } finally {
      text = '';
      index += 1;
    }
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const character = chunk[i];
      if (inString) {
        if (escaped) escaped = false;
        else if (character === '\\') escaped = true;
        else if (character === '"') inString = false;
        continue;
      }
      if (state !== 'inside') {
        if (state === 'before' && character === '[') {
          state = 'inside';
          start = i + 1;
        } else if (!BLANK.test(character) && character !== '\ufeff') {
          fail(state === 'before' ? 'not a JSON array' : 'something follows the JSON array');
        }
        continue;
      }
      if (character === '"') inString = true;
      else if (OPENING.has(character)) depth += 1;
      else if (depth > 0 && CLOSING.has(character)) depth -= 1;
      else if (depth === 0 && (character === ',' || character === ']')) {
        text += chunk.slice(start, i);
        start = i + 1;
        if (character === ']') state = 'after';
        // An empty array has no element before its end.
        if (character === ',' || index > 0 || !BLANK.test(text)) yield parse();
      }
    }
    if (state === 'inside') text += chunk.slice(start);
    if (text.length > MAX_ELEMENT_CHARACTERS)
      fail(`element ${index} has more than ${MAX_ELEMENT_CHARACTERS} characters`);
  }
  if (state !== 'after') fail(state === 'before' ? 'not a JSON array' : 'the JSON array is cut short');
}
