import { expect, it } from 'vitest';
import { formatTokens } from '../../lib/run/data-file.js';
import { makeSyntheticPairs } from '../../lib/experiment/synthetic-pairs.js';

const item = { src_encodec: [[3, 1]], instruction: 'Faster', tgt_encodec: [[1]] };
const prompts = Array.from({ length: 20 }, (_, index) => ({ index, item, ids: [0] }));

it('makes all-even chosen and all-odd rejected strings of 50 to 1024 characters', () => {
  const rows = makeSyntheticPairs(prompts, 255, 7);
  expect(rows).toHaveLength(20);
  for (const { chosen, rejected, instruction, source } of rows) {
    expect({ instruction, source }).toEqual({ instruction: 'Faster', source: [3, 1] });
    expect(chosen.every((code) => code % 2 === 0 && code >= 0 && code <= 254)).toBe(true);
    expect(rejected.every((code) => code % 2 === 1 && code >= 1 && code <= 253)).toBe(true);
    for (const codes of [chosen, rejected]) {
      expect(formatTokens(codes).length).toBeGreaterThan(40);
      expect(formatTokens(codes).length).toBeLessThanOrEqual(1024);
    }
  }
  const codes = rows.flatMap(({ chosen, rejected }) => [...chosen, ...rejected]);
  expect([Math.min(...codes), Math.max(...codes)]).toEqual([0, 254]);
});

it('depends on the seed alone', () => {
  expect(makeSyntheticPairs(prompts, 256, 7)).toEqual(makeSyntheticPairs(prompts, 256, 7));
  expect(makeSyntheticPairs(prompts, 256, 7)).not.toEqual(makeSyntheticPairs(prompts, 256, 8));
});
