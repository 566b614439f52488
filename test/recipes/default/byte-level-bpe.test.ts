import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { byteSymbols, trainByteLevelBpe } from '../../../recipes/default/byte-level-bpe.js';

/** What tokenizers' BpeTrainer (Python) learns from the same texts. */
const reference = JSON.parse(
  readFileSync(new URL('../../fixtures/byte-level-bpe.json', import.meta.url), 'utf8'),
) as { texts: string[]; merges: string[] };

describe('trainByteLevelBpe', () => {
  test("learns the merges of Hugging Face's trainer, in order", () => {
    const { merges, symbols } = trainByteLevelBpe(reference.texts, reference.merges.length, ['<s>', '</s>']);
    expect(merges.map((pair) => pair.join(' '))).toEqual(reference.merges);
    expect(symbols).toHaveLength(2 + 256 + merges.length);
    expect(new Set(symbols).size).toBe(symbols.length);
  });

  test('stops when no pair occurs twice', () => {
    expect(trainByteLevelBpe(['abab ab'], 10, []).merges).toEqual([['a', 'b']]);
    expect(trainByteLevelBpe([], 10, []).merges).toEqual([]);
  });

  test('gives every byte a visible symbol of its own, printable ASCII itself', () => {
    const symbols = byteSymbols();
    expect(new Set(symbols).size).toBe(256);
    expect(symbols.join('')).not.toMatch(/[\s\p{Cc}\u00ad]/u);
    expect([symbols[0x41], symbols[0x20], symbols[0x0a], symbols[0xff]]).toEqual(['A', 'Ġ', 'Ċ', 'ÿ']);
  });
});
