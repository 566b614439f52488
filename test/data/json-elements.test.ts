import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonElements } from '../../lib/data/json-elements.js';

async function collect(chunks: readonly string[]): Promise<unknown[]> {
  const elements: unknown[] = [];
  const stream = (async function* () {
    yield* chunks;
  })();
  for await (const element of jsonElements(stream, 'data.json')) elements.push(element);
  return elements;
}

/** `text` cut at the given places. */
function cut(text: string, places: readonly number[]): string[] {
  const ends = [...places.map((place) => place % (text.length + 1)), text.length].sort((a, b) => a - b);
  return ends.map((end, i) => text.slice(ends[i - 1] ?? 0, end));
}

it('gives what JSON.parse gives, however the text is cut', async () => {
  const indents = fc.constantFrom(undefined, 2);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue()),
      fc.array(fc.nat()),
      indents,
      async (values, places, indent) => {
        const text = JSON.stringify(values, null, indent);
        expect(await collect(cut(text, places))).toEqual(JSON.parse(text));
      },
    ),
  );
});

it('gives what JSON.parse gives or explains, whatever the text', async () => {
  const pieces = fc.constantFrom('[', ']', '{', '}', ',', '"', '\\', ':', '1', 'true', ' ', '\n', '"a"');
  await fc.assert(
    fc.asyncProperty(fc.array(pieces, { maxLength: 12 }), async (parts) => {
      const text = parts.join('');
      const expected = parsedArray(text);
      if (expected) expect(await collect(parts)).toEqual(expected);
      else await expect(collect(parts)).rejects.toThrow(/^data\.json: .*\.$/);
    }),
    { numRuns: 2000 },
  );
});

function parsedArray(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

it.each([
  ['{"a":[1]}', 'data.json: not a JSON array.'],
  ['', 'data.json: not a JSON array.'],
  ['[1, 2', 'data.json: the JSON array is cut short.'],
  ['[1, x]', 'data.json: element 1 is not JSON.'],
  ['[1,]', 'data.json: element 1 is not JSON.'],
  ['[1] 2', 'data.json: something follows the JSON array.'],
])('%s: %s', async (text, message) => {
  await expect(collect([text])).rejects.toThrow(message);
});

it('ends at an element of more characters than there is room for', async () => {
  const chunks = ['[1, ', ...Array.from({ length: 17 }, () => '2'.repeat(4 * 2 ** 20)), ']'];
  await expect(collect(chunks)).rejects.toThrow(
    `data.json: element 1 has more than ${64 * 2 ** 20} characters.`,
  );
});
