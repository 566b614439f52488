import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DatasetItem } from '../../lib/data/item.js';
import { parseItem, readItems } from '../../lib/data/items.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const CODEC = { codebooks: 2, codebookSize: 16 };
const FIXTURES = fileURLToPath(new URL('../fixtures/datasets/', import.meta.url));

/** The items of test/fixtures/datasets/make.py. */
const codes = (item: number, side: number) =>
  [0, 1].map((book) =>
    Array.from({ length: 3 + item + side }, (_, frame) => (7 * item + 5 * book + 3 * frame + side) % 16),
  );
const ITEMS: DatasetItem[] = [0, 1, 2, 3].map((i) => ({
  instruction: `Make it louder, ${i}.`,
  src_encodec: codes(i, 0),
  tgt_encodec: codes(i, 1),
}));
const inColumns = ({ instruction, src_encodec: src, tgt_encodec: tgt }: DatasetItem) => ({
  instruction,
  src_encodec_0: src[0],
  src_encodec_1: src[1],
  tgt_encodec_0: tgt[0],
  tgt_encodec_1: tgt[1],
});

async function read(path: string): Promise<DatasetItem[]> {
  const items: DatasetItem[] = [];
  for await (const item of readItems(path, CODEC)) items.push(item);
  return items;
}

function fileWith(name: string, content: string | Uint8Array): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, content);
  return file;
}

describe('readItems reads', () => {
  it.each([
    ['lists.parquet', () => join(FIXTURES, 'lists.parquet')],
    ['columns.parquet, of two row groups', () => join(FIXTURES, 'columns.parquet')],
    ['JSON', () => fileWith('data.json', JSON.stringify(ITEMS, null, 1))],
    ['JSON with a list a codebook, and further fields', () => fileWith('data.json', JSON.stringify(ITEMS.map((item) => ({ ...inColumns(item), file_id: 'x' }))))], // prettier-ignore
    ['JSON Lines', () => fileWith('data.jsonl', ITEMS.map((item) => JSON.stringify(item)).join('\r\n\n'))],
  ])('%s', async (_, file) => {
    expect(await read(file())).toEqual(ITEMS);
  });

  it('the words that are spoken, where an item has them', async () => {
    const spoken = ITEMS.map((item, i) => ({ ...item, text: i === 2 ? null : `said ${i}` }));
    const expected = ITEMS.map((item, i) => (i === 2 ? item : { ...item, text: `said ${i}` }));
    expect(await read(fileWith('data.json', JSON.stringify(spoken)))).toEqual(expected);
    expect(await read(join(FIXTURES, 'text.parquet'))).toEqual(expected);
  });

  it.each(['\u2028', '\u2029', '\u0085', '\v'])('JSON Lines with %j in a text', async (separator) => {
    const items = ITEMS.map((item) => ({ ...item, instruction: `Make it${separator}louder.` }));
    // Of these JSON.stringify escapes \v only.
    const file = fileWith('data.jsonl', items.map((item) => JSON.stringify(item)).join('\n'));
    expect(await read(file)).toEqual(items);
  });

  it.each(['\n', '\r\n', '\n\n'])(
    'JSON Lines named .json, and an array named .jsonl: lines end in %j',
    async (end) => {
      const lines = ITEMS.map((item) => JSON.stringify(item)).join(end) + end;
      expect(await read(fileWith('data.json', `\n${lines}`))).toEqual(ITEMS);
      expect(await read(fileWith('data.jsonl', ` ${end}${JSON.stringify(ITEMS, null, 1)}${end}`))).toEqual(
        ITEMS,
      );
    },
  );

  it.each(['.ipynb_checkpoints', '.cache/huggingface/download', '__MACOSX', '.git'])(
    'a folder, but not %s in it',
    async (hidden) => {
      const folder = temporaryFolder();
      const lines = ITEMS.map((item) => JSON.stringify(item)).join('\n');
      mkdirSync(join(folder, hidden), { recursive: true });
      writeFileSync(join(folder, 'data.jsonl'), lines);
      writeFileSync(join(folder, hidden, 'data.jsonl'), lines);
      writeFileSync(join(folder, '._data.jsonl'), Uint8Array.of(0, 5, 22, 7));
      expect(await read(folder)).toEqual(ITEMS);
    },
  );

  it('a folder that is named as a file is', async () => {
    const folder = join(temporaryFolder(), 'data.jsonl');
    mkdirSync(join(folder, 'part.jsonl'), { recursive: true });
    writeFileSync(join(folder, 'part.jsonl', '0.jsonl'), JSON.stringify(ITEMS[0]));
    expect(await read(folder)).toEqual([ITEMS[0]]);
  });

  it('the codebooks the codec has, where a dataset has more', async () => {
    const more = ITEMS.map((item) => ({ ...item, src_encodec: [...item.src_encodec, item.src_encodec[0]] }));
    expect(await read(fileWith('data.json', JSON.stringify(more)))).toEqual(ITEMS);
  });

  it('the train files of a folder, in order', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'data'));
    const line = (item: DatasetItem) => JSON.stringify(item);
    writeFileSync(join(folder, 'data', 'train-2.jsonl'), line(ITEMS[1]));
    writeFileSync(join(folder, 'data', 'train-1.jsonl'), line(ITEMS[0]));
    writeFileSync(join(folder, 'data', 'test-1.jsonl'), line(ITEMS[2]));
    writeFileSync(join(folder, 'dataset_info.json'), '{}');
    expect(await read(folder)).toEqual(ITEMS.slice(0, 2));
  });
});

describe('readItems says what is wrong', () => {
  const [good] = ITEMS;
  it.each([
    [{ ...good, instruction: 7 }, 'item 1: instruction must be a text.'],
    [{ ...good, instruction: '' }, 'item 1: instruction is empty: it must say what to do.'],
    [{ ...good, instruction: ' \n' }, 'item 1: instruction is empty: it must say what to do.'],
    [{ ...good, text: ['said'] }, 'item 1: text must be a text, the words that are spoken.'],
    [{ ...good, text: 'half \ud800' }, 'item 1: text holds half a character'],
    [
      { ...good, src_encodec: [[1]] },
      'item 1: src_encodec must be 2 lists of codes, as src_encodec or as src_encodec_0 to src_encodec_1.',
    ],
    [{ ...good, tgt_encodec: [[16], [0]] }, 'item 1: tgt_encodec: Codebook 0 holds 16'],
    [{ ...good, tgt_encodec: [[1], [0, 1]] }, 'item 1: tgt_encodec: Codebook 1 has 2 frames'],
    [{ ...good, tgt_encodec: [[], []] }, 'item 1: tgt_encodec has no frames.'],
    [{ ...good, src_encodec: ['12', [0]] }, 'item 1: src_encodec must be 2 lists of codes'],
    [[], 'item 1: is not an object.'],
    [{ ...good, instruction: 'half \ud800' }, 'item 1: instruction holds half a character'],
  ])('%j', async (item, message) => {
    await expect(read(fileWith('data.json', JSON.stringify([good, item])))).rejects.toThrow(message);
  });

  it.each([
    ['data.jsonl', '{}\n{"a', 'data.jsonl: item 0: instruction must be a text.'],
    ['data.jsonl', '\n{"a', 'data.jsonl: line 2 is not JSON.'],
    [
      'data.json',
      '{\n  "instruction": "x"\n}',
      'data.json: neither a JSON array nor JSON Lines: line 1 is not JSON.',
    ],
    ['data.json', '', 'data.json: not a JSON array.'],
    ['data.csv', '', 'its name must end in .parquet, .jsonl, .json.'],
    ['data.parquet', 'not parquet', 'cannot be read as parquet'],
  ])('in %s', async (name, content, message) => {
    await expect(read(fileWith(name, content))).rejects.toThrow(message);
  });

  const WRONG_CODES: [unknown, string][] = [
    [null, 'null'],
    ['', '""'],
    ['3', '"3"'],
    ['0x10', '"0x10"'],
    [' 7 ', '" 7 "'],
    [true, 'true'],
    [false, 'false'],
    [[], 'a list'],
    [[7], 'a list'],
    [{}, 'an object'],
    [1.5, '1.5'],
    [-1, '-1'],
    [16, '16'],
  ];
  it.each(WRONG_CODES)('in a code: %j', async (code, shown) => {
    const row = (book: number, frame: number) =>
      [0, 1].map((b) => [1, 2, 3].map((c, f) => (b === book && f === frame ? code : c)));
    const message = (name: string, book: number, frame: number) =>
      `item 1: ${name}: Codebook ${book} holds ${shown} in frame ${frame}; codes are whole numbers from 0 to 15.`;
    const lists = { ...good, tgt_encodec: row(1, 2) };
    for (const name of ['data.json', 'data.jsonl'])
      await expect(
        read(
          fileWith(
            name,
            name === 'data.json'
              ? JSON.stringify([good, lists])
              : `${JSON.stringify(good)}\n${JSON.stringify(lists)}`,
          ),
        ),
      ).rejects.toThrow(message('tgt_encodec', 1, 2));
    const columns = { ...inColumns(good), src_encodec_0: row(0, 0)[0] };
    await expect(read(fileWith('data.json', JSON.stringify([good, columns])))).rejects.toThrow(
      message('src_encodec', 0, 0),
    );
  });

  const transpose = (lists: number[][]) => lists[0].map((_, frame) => lists.map((list) => list[frame]));
  const recording = (codebooks: number, frames: number) =>
    Array.from({ length: codebooks }, (_, b) => Array.from({ length: frames }, (_, f) => (b + f) % 16));

  it.each([
    ['of 2 codebooks', 2, [20, 21]],
    ['of more codebooks than the codec has', 8, [20, 21]],
    ['of fewer', 1, [20, 21]],
    ['of a few frames', 2, [3, 4]],
  ])('in codes with a list a frame, %s', async (_, codebooks, [src, tgt]) => {
    const item = {
      ...good,
      src_encodec: transpose(recording(codebooks, src)),
      tgt_encodec: transpose(recording(codebooks, tgt)),
    };
    await expect(read(fileWith('data.json', JSON.stringify([good, item])))).rejects.toThrow(
      `item 1: src_encodec has ${src} lists of ${codebooks} codes, as if each were a frame: it must have a list for each codebook, so transpose it; if these are ${src} codebooks, keep the first 2.`,
    );
  });

  it('in codes with a list a frame, and fewer frames than codebooks', async () => {
    const items = [5, 6, 7].map((frames) => ({
      ...good,
      src_encodec: transpose(recording(8, frames)),
      tgt_encodec: transpose(recording(8, frames)),
    }));
    await expect(read(fileWith('data.json', JSON.stringify(items)))).rejects.toThrow(
      'item 2: src_encodec has 7 lists of 8 codes, and items before have other counts of lists, all of 8, as if each were a frame',
    );
  });

  it('but not in short recordings of as many codebooks as the codec has', async () => {
    const items = [1, 2, 1].map((frames) => ({
      ...good,
      src_encodec: recording(2, frames),
      tgt_encodec: recording(2, 1),
    }));
    expect(await read(fileWith('data.json', JSON.stringify(items)))).toEqual(items);
  });

  it('but not in recordings of several codecs, each with its number of codebooks', async () => {
    const items = [2, 4, 8].map((codebooks) => ({
      ...good,
      src_encodec: recording(codebooks, codebooks + 1),
      tgt_encodec: recording(2, 1),
    }));
    const read2 = items.map(({ src_encodec, ...rest }) => ({
      ...rest,
      src_encodec: src_encodec.slice(0, 2),
    }));
    expect(await read(fileWith('data.json', JSON.stringify(items)))).toEqual(read2);
  });

  it('where there is nothing', async () => {
    await expect(read('nowhere')).rejects.toThrow('nowhere does not exist');
    await expect(read(temporaryFolder())).rejects.toThrow('has no dataset in it');
  });

  it('of a parquet file with a run of values that would fill the memory', async () => {
    const bytes = readFileSync(join(FIXTURES, 'lists.parquet'));
    bytes[566] = 0;
    await expect(read(fileWith('data.parquet', bytes))).rejects.toThrow(
      /data\.parquet cannot be read as parquet: a run of \d+ values is in a page of \d+\.$/,
    );
  });

  it('of any value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(() => parseItem(value, CODEC)).toThrow(Error);
      }),
    );
  });
});
