import { describe, expect, it } from 'vitest';
import {
  attentionMask,
  checkIds,
  lengthMask,
  padIds,
  padPositions,
  steppedLength,
} from '../../lib/policy/padding.js';
import { tinyConfig } from '../support/tiny-bart.js';

const MIDDLE_TOO_LONG = [[1], [2, 3, 4], [5]];

describe('padding', () => {
  it('fills rows up', () => {
    expect([...padIds(MIDDLE_TOO_LONG, 3, 9)]).toEqual([1, 9, 9, 2, 3, 4, 5, 9, 9]);
    expect([...padPositions([[[1], [2, 3]], [[4]]], 2, 2, 9)]).toEqual([1, 9, 2, 3, 4, 9, 9, 9]);
    expect([...lengthMask(MIDDLE_TOO_LONG, 3, 1, 0)]).toEqual([1, 0, 0, 1, 1, 1, 1, 0, 0]);
  });

  it('never writes what is too long into the next row', () => {
    const tooLong = 'a row of 3 is padded to 2';
    expect(() => padIds(MIDDLE_TOO_LONG, 2, 9)).toThrow(tooLong);
    expect(() => lengthMask(MIDDLE_TOO_LONG, 2, 1, 0)).toThrow(tooLong);
    expect(() => attentionMask(MIDDLE_TOO_LONG, 2)).toThrow(tooLong);
    expect(() => padPositions([[[1], [2], [3]], [[4]]], 2, 1, 9)).toThrow(tooLong);
    expect(() => padPositions([[[1, 2, 3]], [[4]]], 1, 2, 9)).toThrow(tooLong);
  });

  it('takes the ids that the model has, from the first to the last', () => {
    const config = { vocab_size: 9 };
    expect(() => checkIds([0, 8], config, 'a prompt')).not.toThrow();
    for (const id of [-1, 9, 0.5])
      expect(() => checkIds([0, id], config, 'a prompt')).toThrow(
        `a prompt has the id ${id}, but the model has ids from 0 to 8`,
      );
  });

  it('has no length above the positions of the model', () => {
    const config = { ...tinyConfig(), max_position_embeddings: 70 };
    expect(steppedLength([3, 65], 32, config)).toBe(70);
    expect(() => steppedLength([3, 71], 32, config)).toThrow("71 ids are more than the model's 70 positions");
  });
});
