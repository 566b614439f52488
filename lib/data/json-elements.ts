/** One element of a JSON array of any length at a time. */

const MAX_ELEMENT_CHARACTERS = 64 * 2 ** 20;

const BLANK = /^\s*$/;

const codeOf = (character: string) => character.charCodeAt(0);
const QUOTE = codeOf('"');
const BACKSLASH = codeOf('\\');
const COMMA = codeOf(',');
const OPEN_LIST = codeOf('[');
const CLOSE_LIST = codeOf(']');
const OPEN_OBJECT = codeOf('{');
const CLOSE_OBJECT = codeOf('}');

/**
 * The elements of the JSON array that `chunks` spell, parsed. One chunk and the text of one element are in memory.
 *
 * @param file stands for it in messages
 * @throws Error when it is no JSON array, or cut short
 */
export async function* jsonElements(chunks: AsyncIterable<string>, file: string): AsyncGenerator<unknown> {
  const splitter = new ElementSplitter();
  let index = 0;
  for await (const chunk of chunks) {
    for (const text of splitter.push(chunk)) {
      let element: unknown;
      try {
        element = JSON.parse(text);
      } catch {
        throw new Error(`${file}: element ${index} is not JSON.`);
      }
      yield element;
      index += 1;
    }
    if (splitter.wrong) throw new Error(`${file}: ${splitter.wrong}.`);
  }
  if (!splitter.isDone)
    throw new Error(`${file}: ${splitter.isStarted ? 'the JSON array is cut short' : 'not a JSON array'}.`);
}

/** Cuts the text of a JSON array at the commas between its elements; whether an element is JSON is not looked at. */
class ElementSplitter {
  isStarted = false;
  isDone = false;
  /** What makes the text no JSON array. */
  wrong: string | undefined;
  /** The beginning of an element whose end is in a later chunk. */
  #text = '';
  #count = 0;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  /** The texts of the elements that end in this chunk. */
  push(chunk: string): string[] {
    if (this.#isInside) return this.#cut(chunk, 0);
    const rest = chunk.trimStart();
    if (rest === '') return [];
    if (this.isDone) this.wrong = 'something follows the JSON array';
    else if (!rest.startsWith('[')) this.wrong = 'not a JSON array';
    if (this.wrong) return [];
    this.isStarted = true;
    return this.#cut(rest, 1);
  }

  get #isInside(): boolean {
    return this.isStarted && !this.isDone;
  }

  #cut(chunk: string, from: number): string[] {
    const texts: string[] = [];
    let start = from;
    for (let i = from; i < chunk.length; i++) {
      const code = chunk.charCodeAt(i);
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (code === BACKSLASH) this.#isEscaped = true;
        else if (code === QUOTE) this.#isInString = false;
      } else if (code === QUOTE) this.#isInString = true;
      else if (code === OPEN_LIST || code === OPEN_OBJECT) this.#depth += 1;
      else if (this.#depth > 0) {
        if (code === CLOSE_LIST || code === CLOSE_OBJECT) this.#depth -= 1;
      } else if (code === COMMA || code === CLOSE_LIST) {
        const text = this.#text + chunk.slice(start, i);
        this.#text = '';
        start = i + 1;
        // An empty array has no element before its end.
        if (code === COMMA || this.#count > 0 || !BLANK.test(text)) texts.push(text);
        this.#count += 1;
        if (code === CLOSE_LIST) return this.#end(chunk.slice(start), texts);
      }
    }
    this.#text += chunk.slice(start);
    if (this.#text.length > MAX_ELEMENT_CHARACTERS) {
      this.wrong = `element ${this.#count} has more than ${MAX_ELEMENT_CHARACTERS} characters`;
    }
    return texts;
  }

  #end(rest: string, texts: string[]): string[] {
    this.isDone = true;
    if (!BLANK.test(rest)) this.wrong = 'something follows the JSON array';
    return texts;
  }
}
