import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  characterErrorRate,
  formatAlignment,
  normalizedWords,
  wordErrors,
  type WordErrors,
} from '../../lib/scoring/wer.js';

interface Pair extends Omit<WordErrors, 'alignment'> {
  reference: string;
  hypothesis: string;
  /** Of the normalized words, with one space between them. */
  cer: number;
  /** Its alignment, a letter a word: = hit, S substitution, D deletion, I insertion. */
  edits: string;
}

/** What jiwer 4.0.0 gives with the transforms ExpandCommonEnglishContractions ... ReduceToListOfListOfWords; make_jiwer.py writes it. */
const { pairs } = JSON.parse(readFileSync(new URL('../fixtures/jiwer.json', import.meta.url), 'utf8')) as {
  pairs: Pair[];
};

describe('wordErrors', () => {
  it('is compared on enough pairs', () => {
    expect(pairs.length).toBeGreaterThanOrEqual(30);
  });

  it.each(pairs)(
    'is as jiwer: "$reference" / "$hypothesis"',
    ({ reference, hypothesis, edits, cer: _, ...expected }) => {
      const { alignment, ...counts } = wordErrors(reference, hypothesis);
      expect(counts.wer).toBeCloseTo(expected.wer, 12);
      expect(counts).toEqual(expected);
      expect(alignment.map(({ kind }) => (kind === 'hit' ? '=' : kind[0].toUpperCase())).join('')).toBe(
        edits,
      );
      const side = (key: 'reference' | 'hypothesis') => alignment.flatMap((step) => step[key] ?? []);
      expect(side('reference')).toEqual(normalizedWords(reference));
      expect(side('hypothesis')).toEqual(normalizedWords(hypothesis));
    },
  );
});

describe('characterErrorRate', () => {
  it.each(pairs)('is as jiwer: "$reference" / "$hypothesis"', ({ reference, hypothesis, cer }) => {
    expect(characterErrorRate(reference, hypothesis)).toBeCloseTo(cer, 12);
  });

  it('takes long texts', () => {
    const long = 'quite a bit of a longer sentence '.repeat(200).trim();
    expect(characterErrorRate(long, long.replace('bit', 'big'))).toBe(1 / long.length);
  });
});

describe('formatAlignment', () => {
  it('puts words under each other and marks errors', () => {
    expect(
      formatAlignment(wordErrors('please make the audio faster', 'please take the audio much').alignment),
    ).toBe(
      [
        'REF: please make the audio faster',
        'HYP: please take the audio much',
        '            S              S',
      ].join('\n'),
    );
    expect(formatAlignment(wordErrors('a b c', 'b c d').alignment)).toBe(
      ['REF: a   b c ***', 'HYP: *** b c d', '     D       I'].join('\n'),
    );
  });
});
