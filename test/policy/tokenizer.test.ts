import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../lib/policy/tokenizer.js';
import { sharedPath } from '../support/shared.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { tokenizerFolder } from '../support/tokenizer-folder.js';

/** What tokenizers and transformers (Python) make of the same texts. */
const reference = JSON.parse(
  readFileSync(new URL('../fixtures/byte-level-bpe.json', import.meta.url), 'utf8'),
) as {
  texts: string[];
  encodings: { text: string; ids: number[] }[];
};
const CODEC = { codebooks: 3, codebookSize: 8 };

describe('loadTokenizer', () => {
  test('gives texts the ids that transformers gives, special tokens left out', async () => {
    const folder = tokenizerFolder({ texts: reference.texts, merges: 60, codes: 24 });
    const tokenizer = await loadTokenizer(folder, CODEC);
    for (const { text, ids } of reference.encodings) {
      expect([0, ...tokenizer.encodeText(text), 2], text).toEqual(ids);
    }
  });

  test('gives codes the ids of their tokens', async () => {
    const tokenizer = await loadTokenizer(tokenizerFolder({ codes: 24 }), CODEC);
    expect(tokenizer).toMatchObject({ codebooks: 3, codebookSize: 8, firstCodeId: 261 });
    expect(tokenizer.codeId(0, 0)).toBe(261);
    expect(tokenizer.codeId(2, 7)).toBe(261 + 23);
    expect(tokenizer.encodeText('v_tok_23')).toEqual([tokenizer.codeId(2, 7)]);
  });

  test.each([
    [3, 0],
    [-1, 0],
    [0, 8],
    [0, -1],
    [0, 1.5],
    [NaN, 0],
  ])('refuses codebook %d, code %d', async (codebook, code) => {
    const tokenizer = await loadTokenizer(tokenizerFolder({ codes: 24 }), CODEC);
    expect(() => tokenizer.codeId(codebook, code)).toThrow(
      `code ${code} of codebook ${codebook} is outside 3 codebooks of 8 codes.`,
    );
  });

  test('refuses a vocabulary without the codes, or with gaps between them', async () => {
    const textOnly = tokenizerFolder({ codes: 0 });
    await expect(loadTokenizer(textOnly, CODEC)).rejects.toThrow(
      `${join(textOnly, 'tokenizer.json')} has no token v_tok_0: it is not the tokenizer of a speech model.`,
    );
    await expect(loadTokenizer(tokenizerFolder({ codes: 23 }), CODEC)).rejects.toThrow(
      'has no token v_tok_23, but the codec has 24 codes.',
    );
    const gap = tokenizerFolder({ codes: 24 }, ({ added_tokens }) =>
      added_tokens.slice(-3).forEach((token) => token.id++),
    );
    await expect(loadTokenizer(gap, CODEC)).rejects.toThrow(
      'v_tok_21 has id 283, not 282; code tokens must be contiguous.',
    );
  });

  test('refuses files that are no tokenizer, by name', async () => {
    const folder = temporaryFolder();
    const [file, configFile] = [join(folder, 'tokenizer.json'), join(folder, 'tokenizer_config.json')];
    await expect(loadTokenizer(folder, CODEC)).rejects.toThrow(`${file} does not exist.`);
    writeFileSync(file, '{"model": 1}');
    await expect(loadTokenizer(folder, CODEC)).rejects.toThrow(`${file} is not a tokenizer`);
    writeFileSync(file, '{"model": {"type": "Riddle"}, "added_tokens": []}');
    await expect(loadTokenizer(folder, CODEC)).rejects.toThrow(`${configFile} does not exist.`);
    writeFileSync(configFile, '[]');
    await expect(loadTokenizer(folder, CODEC)).rejects.toThrow(`${configFile} is not a JSON object.`);
    writeFileSync(configFile, '{}');
    await expect(loadTokenizer(folder, CODEC)).rejects.toThrow(`${file} cannot be read: `);
  });
});

const golden = sharedPath('golden/bart/tiny_bart');

describe.skipIf(!golden)('the tokenizer of a tiny word-level model', () => {
  test('splits at blanks, and finds the codes after the special tokens', async () => {
    const tokenizer = await loadTokenizer(golden!, { codebooks: 5, codebookSize: 119 });
    expect(tokenizer.firstCodeId).toBe(5);
    expect(tokenizer.codeId(4, 118)).toBe(599);
    expect(tokenizer.encodeText('v_tok_0 strange  v_tok_594')).toEqual([5, 3, 599]);
  });
});

describe("the default's tokenizer", () => {
  const folder = 'models/default/policy';

  test('has 8 codebooks of 256 codes after its text', async () => {
    const tokenizer = await loadTokenizer(folder, { codebooks: 8, codebookSize: 256 });
    const largestTextId = Math.max(
      ...tokenizer.encodeText('Make it much faster than before, please. é音\u0000'),
    );
    expect(largestTextId).toBeLessThan(tokenizer.firstCodeId);
    expect(() => tokenizer.codeId(8, 0)).toThrow();
  });
});
