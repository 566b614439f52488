import { writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText, readTextFile, textChunks, textLines } from '../../lib/checkpoint/text-file.js';
import { readJsonFile } from '../../lib/checkpoint/json-file.js';
import { prepareDataset } from '../../lib/jobs/prepare-dataset.js';
import { readDataFile } from '../../lib/run/data-file.js';
import { readItems } from '../../lib/data/items.js';
import { loadPrompts } from '../../lib/data/prompts.js';
import { readTokenizerJson } from '../../lib/policy/tokenizer-files.js';
import { chooseSettings } from '../../lib/notebook/settings.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const CODEC = { codebooks: 1, codebookSize: 4 };
const MARK = '\ufeff';

function fileWith(content: string | Uint8Array, name = 'text.txt'): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, content);
  return file;
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const value of values) collected.push(value);
  return collected;
}

describe('a text file', () => {
  it('is read in parts and lines as it is whole', async () => {
    const piece = fc.constantFrom('a', 'é', '€', '\u{1f600}', '\n', '\r\n', '\u2028', '\ufeff', '\r');
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), fc.nat(5), async (pieces, shift) => {
        // Longer than a part, which may end within any character.
        const text = 'x'.repeat(65_536 - shift) + pieces.join('') + 'é€'.repeat(9_000);
        const file = fileWith(text);
        expect(await readTextFile(file)).toBe(text);
        expect((await collect(textChunks(file))).join('')).toBe(text);
        expect(await collect(textLines(file))).toEqual(text.split(/\r?\n/));
      }),
      { numRuns: 40 },
    );
  });

  it.each(['', 'a', 'a\n', '\n', 'a\nb', 'a\n\nb\r\n'])('%j has lines', async (text) => {
    const lines = text.split(/\r?\n/);
    if (lines.at(-1) === '') lines.pop();
    expect(await collect(textLines(fileWith(text)))).toEqual(lines);
  });

  it.each([
    ['Latin-1', Buffer.from('one\ntwo: ré\n', 'latin1'), 'line 2 has the byte 0xE9, at offset 10; '],
    ['a character cut short at the end', Buffer.from('é€').subarray(0, 4), 'line 1 has the byte 0xE2, at offset 2; '], // prettier-ignore
    ['an overlong zero', Buffer.from([97, 0xc0, 0x80]), 'line 1 has the byte 0xC0, at offset 1; '],
    ['a surrogate', Buffer.from([0xed, 0xa0, 0x80]), 'line 1 has the byte 0xED, at offset 0; '],
    ['after much text', Buffer.concat([Buffer.from('é\n'.repeat(70_000)), Buffer.from([0x80])]), 'line 70001 has the byte 0x80, at offset 210000; '], // prettier-ignore
  ])('that is no UTF-8 is refused: %s', async (_, bytes, message) => {
    const file = fileWith(bytes);
    const whole = new RegExp(
      `^${file} is not UTF-8 text: ${message}if it is Windows-1252 .*convert it with \`iconv -f WINDOWS-1252 -t UTF-8 '${file}' > NEW_FILE\`\\.$`,
    );
    await expect(readTextFile(file)).rejects.toThrow(whole);
    await expect(collect(textChunks(file))).rejects.toThrow(whole);
  });

  it.each([
    ['UTF-16', Buffer.from(`${MARK}{"a": 1}`, 'utf16le')],
    ['UTF-16', Buffer.from(`${MARK}{"a": 1}`, 'utf16le').swap16()],
    ['UTF-16LE', Buffer.from('{"a": 1}', 'utf16le')],
    ['UTF-16BE', Buffer.from('{"a": 1}', 'utf16le').swap16()],
    ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 97, 0, 0, 0])],
  ])('in %s is refused by that name', async (encoding, bytes) => {
    const file = fileWith(bytes);
    const message = `${file} is ${encoding} text, not UTF-8: convert it with \`iconv -f ${encoding} -t UTF-8`;
    await expect(readTextFile(file)).rejects.toThrow(message);
    await expect(collect(textLines(file))).rejects.toThrow(message);
  });

  it('that is missing, or a folder, is named', async () => {
    const folder = temporaryFolder();
    await expect(collect(textChunks(join(folder, 'no')))).rejects.toThrow('no does not exist.');
    await expect(collect(textLines(folder))).rejects.toThrow(`${folder} is a folder`);
  });
});

/** Every kind of text that a person hands in: where it stands, a good one with the letter é in it, and what reads it. */
const KINDS: Record<string, { name: string; text: string; read: (file: string) => Promise<unknown> }> = {
  'a JSON file': { name: 'config.json', text: '{"a": "é"}', read: readJsonFile },
  prompts: {
    name: 'prompts.json',
    text: JSON.stringify({ train: [{ instruction: 'é', src_encodec: [[0]], tgt_encodec: [[1]] }], test: [] }),
    read: (file) => loadPrompts(file, CODEC),
  },
  'preference pairs': {
    name: 'data_iter_0.json',
    text: JSON.stringify({
      prompt: ['<s>é</s>v_tok_1</s>'],
      chosen: ['v_tok_1'],
      rejected: ['v_tok_2'],
      chosen_rewards: [1],
      rejected_rewards: [0],
      average_rewards: [0.5],
    }),
    read: readDataFile,
  },
  'a dataset in JSON': {
    name: 'data.json',
    text: '[{"instruction": "é", "src_encodec": [[0]], "tgt_encodec": [[1]]}]',
    read: (file) => collect(readItems(file, CODEC)),
  },
  'a dataset in JSON Lines': {
    name: 'data.jsonl',
    text: '{"instruction": "é", "src_encodec": [[0]], "tgt_encodec": [[1]]}\n',
    read: (file) => collect(readItems(file, CODEC)),
  },
  'merges of a tokenizer': {
    name: 'merges.txt',
    text: '#version: 0.2\né b\n',
    read: (file) => {
      writeFileSync(join(dirname(file), 'vocab.json'), '{"é": 0}');
      return readTokenizerJson(dirname(file)).then(({ content }) => content);
    },
  },
  'settings of a notebook': {
    name: 'settings.json',
    text: '{"title": "é"}',
    read: async (file) => chooseSettings({ title: 'x' }, {}, { SPEECH_DPO_SETTINGS: file }),
  },
};

describe.each(Object.entries(KINDS))('%s', (_, { name, text, read }) => {
  it('may begin with a byte order mark', async () => {
    const plain = await read(fileWith(text, name));
    expect(plain).toBeTruthy();
    expect(await read(fileWith(MARK + text, name))).toEqual(plain);
  });

  it('is refused in Latin-1 and in UTF-16', async () => {
    await expect(read(fileWith(Buffer.from(text, 'latin1'), name))).rejects.toThrow(
      `${name} is not UTF-8 text: line `,
    );
    await expect(read(fileWith(Buffer.from(MARK + text, 'utf16le'), name))).rejects.toThrow(
      `${name} is UTF-16 text`,
    );
  });
});

it('instructions of recordings are refused in Latin-1, and may begin with a byte order mark', async () => {
  const prepare = (instructions: string) =>
    prepareDataset({
      wav: dirname(instructions),
      instructions,
      output: join(dirname(instructions), 'data.jsonl'),
      model: 'default',
    });
  const line = 'no.wav\tPlus élevé.\n';
  await expect(prepare(fileWith(Buffer.from(line, 'latin1'), 'lines.txt'))).rejects.toThrow(
    'lines.txt is not UTF-8 text: line 1 has the byte 0xE9, at offset 12;',
  );
  const marked = fileWith(MARK + line, 'lines.txt');
  await expect(prepare(marked)).rejects.toThrow(`${join(dirname(marked), 'no.wav')} does not exist.`);
});

it('bytes are named as the file is', () => {
  expect(decodeText(Buffer.from(`${MARK}a`), 'a.txt')).toBe('a');
  expect(() => decodeText(Uint8Array.of(0xff), basename('x/a.txt'))).toThrow('a.txt is not UTF-8 text');
});
