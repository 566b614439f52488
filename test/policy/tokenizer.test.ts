import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadPolicy } from '../../lib/policy/policy.js';
import { loadTokenizer } from '../../lib/policy/tokenizer.js';
import { sharedPath } from '../support/shared.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';
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
      'has no token v_tok_23, but a code token is needed for each of 24 codes: config.json says how many there are by "codebooks" and "codebook_size", without which EnCodec\'s 8 and 1024 are assumed.',
    );
    const gap = tokenizerFolder({ codes: 24 }, ({ added_tokens }) =>
      added_tokens.slice(-3).forEach((token) => token.id++),
    );
    await expect(loadTokenizer(gap, CODEC)).rejects.toThrow(
      'v_tok_21 has id 283, not 282; code tokens must be contiguous.',
    );
  });

  test('refuses what is beyond the ids of the model', async () => {
    const folder = tokenizerFolder({ codes: 24 }, ({ added_tokens }) =>
      added_tokens.push({ ...added_tokens.at(-1)!, id: 285, content: 'whisper' }),
    );
    await expect(loadTokenizer(folder, { ...CODEC, ids: 284 })).rejects.toThrow(
      `${join(folder, 'tokenizer.json')}: v_tok_23 has id 284, but the model has ids from 0 to 283 (vocab_size in its config.json).`,
    );
    const { encodeText } = await loadTokenizer(folder, { ...CODEC, ids: 285 });
    expect(encodeText('v_tok_23')).toEqual([284]);
    expect(() => encodeText('whisper')).toThrow('"whisper" in "whisper" has id 285, but');
  });

  test('refuses files that are no tokenizer, by name', async () => {
    const folder = temporaryFolder();
    const [file, configFile] = [join(folder, 'tokenizer.json'), join(folder, 'tokenizer_config.json')];
    await expect(loadTokenizer(folder, CODEC)).rejects.toThrow(`${file} does not exist.`);
    writeFileSync(file, '{"model": 1}');
    await expect(loadTokenizer(folder, CODEC)).rejects.toThrow(`${file} is not a tokenizer`);
    writeFileSync(file, '{"model": {"type": "Riddle"}, "added_tokens": []}');
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

  test('is asked for EnCodec’s codes where config.json does not say how many there are', async () => {
    const model = temporaryFolder();
    await writeTinyModel(model);
    const file = join(model, 'policy', 'config.json');
    const { codebooks, codebook_size, ...config } = JSON.parse(readFileSync(file, 'utf8')) as Record<
      string,
      unknown
    >;
    expect([codebooks, codebook_size]).toEqual([8, 256]);
    expect((await loadPolicy(join(model, 'policy'))).tokenizer).toMatchObject({
      codebooks,
      codebookSize: 256,
    });
    for (const [size, codes] of [
      [{}, 8 * 1024],
      [{ codebooks: 9 }, 9 * 1024],
      [{ codebook_size: 1023 }, 8 * 1023],
    ] as const) {
      writeFileSync(file, JSON.stringify({ ...config, ...size }));
      await expect(loadPolicy(join(model, 'policy'))).rejects.toThrow(
        `but a code token is needed for each of ${codes} codes`,
      );
    }
  });
});

describe('vocab.json, merges.txt and added_tokens.json', () => {
  interface TokenizerJson {
    model: { vocab: Record<string, number>; merges: string[] };
    added_tokens: { id: number; content: string }[];
  }

  /** The same tokenizer in the older layout. */
  function oldLayout(newFolder: string, change: (files: Record<string, string>) => void = () => undefined) {
    const { model, added_tokens: added } = JSON.parse(
      readFileSync(join(newFolder, 'tokenizer.json'), 'utf8'),
    ) as TokenizerJson;
    const special = added.filter(({ content }) => content.startsWith('<'));
    const codes = added.filter(({ content }) => content.startsWith('v_tok_'));
    const idsOf = (tokens: typeof added) =>
      Object.fromEntries(tokens.map(({ id, content }) => [content, id]));
    const files: Record<string, string> = {
      'vocab.json': JSON.stringify({ ...model.vocab, ...idsOf(special) }),
      'merges.txt': `#version: 0.2\n${model.merges.join('\n')}\n`,
      'added_tokens.json': JSON.stringify(idsOf(codes)),
    };
    change(files);
    const folder = temporaryFolder();
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    return folder;
  }

  test('give the ids that tokenizer.json gives, whatever the text', async () => {
    const newFolder = tokenizerFolder({ texts: reference.texts, merges: 60, codes: 24 });
    const [a, b] = await Promise.all(
      [newFolder, oldLayout(newFolder)].map((folder) => loadTokenizer(folder, CODEC)),
    );
    expect(b.firstCodeId).toBe(a.firstCodeId);
    const pieces = fc.oneof(
      fc.constantFrom(...reference.texts),
      fc.string({ unit: 'grapheme' }),
      fc.constant('v_tok_7'),
    );
    fc.assert(
      fc.property(fc.array(pieces), (texts) => {
        expect(b.encodeText(texts.join(' '))).toEqual(a.encodeText(texts.join(' ')));
      }),
    );
  });

  test.each([
    ['merges.txt', 'a b c', 'merges.txt must hold two symbols a line, found "a b c".'],
    ['vocab.json', '["a"]', 'vocab.json must map tokens to ids.'],
    ['vocab.json', '{"a":-1}', 'vocab.json must map tokens to ids.'],
    ['added_tokens.json', '{}', 'vocab.json has no token v_tok_0'],
  ])('%s that holds %s is refused', async (name, content, message) => {
    const folder = oldLayout(tokenizerFolder({ codes: 24 }), (files) => (files[name] = content));
    await expect(loadTokenizer(folder, CODEC)).rejects.toThrow(message);
  });

  test('merges.txt must be there', async () => {
    const folder = oldLayout(tokenizerFolder({ codes: 24 }), (files) => delete files['merges.txt']);
    await expect(loadTokenizer(folder, CODEC)).rejects.toThrow('merges.txt does not exist.');
  });
});
