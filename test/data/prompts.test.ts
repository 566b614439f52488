import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { loadPrompts } from '../../lib/data/prompts.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const codec = { codebooks: 2, codebookSize: 4 };
const item = {
  src_encodec: [
    [0, 1, 2],
    [3, 2, 1],
  ],
  instruction: 'Faster',
  tgt_encodec: [[1], [2]],
};

let path: string;
beforeEach(() => {
  path = join(temporaryFolder(), 'prompts.json');
});

it('reads train and test items', async () => {
  await writeFile(path, JSON.stringify({ train: [item], test: [item, item] }));
  expect(await loadPrompts(path, codec)).toEqual({ train: [item], test: [item, item] });
});

it.each([
  [
    'a code outside the codec',
    { ...item, tgt_encodec: [[1], [4]] },
    'train[1].tgt_encodec[1][0]: code out of range; the codec has codes 0 to 3',
  ],
  ['a missing codebook', { ...item, src_encodec: [[1]] }, 'train[1].src_encodec: expected 2 codebooks'],
  [
    'ragged codebooks',
    { ...item, src_encodec: [[1, 2], [1]] },
    'train[1].src_encodec: codebooks differ in length',
  ],
  [
    'no instruction',
    { src_encodec: item.src_encodec, tgt_encodec: item.tgt_encodec },
    'train[1].instruction: ',
  ],
  ['null among the codes', { ...item, tgt_encodec: [[1], [null]] }, 'train[1].tgt_encodec[1][0]: '],
  ['a text among the codes', { ...item, tgt_encodec: [[1], ['0x10']] }, 'train[1].tgt_encodec[1][0]: '],
  ['a list a frame', { ...item, src_encodec: [[0, 3], [1, 2], [2, 1]] }, 'train[1].src_encodec: expected 2 codebooks'], // prettier-ignore
  ['half a character', { ...item, instruction: '\ud800' }, 'train[1].instruction: holds half a character'],
  ['an unknown key', { ...item, wav: 'a.wav' }, 'train[1]: unrecognized key: "wav"'],
])('names the file and the item with %s', async (_, broken, message) => {
  await writeFile(path, JSON.stringify({ train: [item, broken], test: [] }));
  await expect(loadPrompts(path, codec)).rejects.toThrow(`${path}: ${message}`);
});

it('names a file that is missing or not JSON', async () => {
  await expect(loadPrompts(path, codec)).rejects.toThrow(path);
  await writeFile(path, '{"train": [');
  await expect(loadPrompts(path, codec)).rejects.toThrow(`${path} is not valid JSON`);
});
