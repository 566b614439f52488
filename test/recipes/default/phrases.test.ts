import { expect, it } from 'vitest';
import { makePhrases } from '../../../recipes/default/phrases.js';

it('gives six thousand distinct short sentences', () => {
  const phrases = makePhrases(6000);
  expect(new Set(phrases).size).toBe(6000);
  expect(phrases.filter((phrase) => !/^[A-Z][A-Za-z ,]+[.?]$/.test(phrase))).toEqual([]);
  const wordCounts = phrases.map((phrase) => phrase.split(' ').length);
  expect(Math.min(...wordCounts)).toBeGreaterThanOrEqual(5);
  expect(Math.max(...wordCounts)).toBeLessThanOrEqual(11);
});

it('keeps the earlier sentences when asked for more', () => {
  expect(makePhrases(300).slice(0, 100)).toEqual(makePhrases(100));
});
