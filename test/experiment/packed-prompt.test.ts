import { expect, it } from 'vitest';
import { describeRepeats, type PackedPrompt } from '../../lib/experiment/packed-prompt.js';

/** Prompts of these ids. */
const promptsOf = (...ids: number[]): PackedPrompt[] =>
  ids.map((id, index) => ({
    index,
    item: { instruction: 'a', src_encodec: [[id]], tgt_encodec: [[id]] },
    ids: [0, id, 2],
  }));

it('nothing is said of prompts that are all different', () => {
  expect(describeRepeats({ train: promptsOf(1, 2), test: promptsOf(3, 4) })).toEqual([]);
});

it('held-out prompts that are trained on are counted, and the first is named', () => {
  expect(describeRepeats({ train: promptsOf(1, 2, 3), test: promptsOf(4, 3, 2) })).toEqual([
    '2 of the 3 held-out prompts are training prompts too (the first is held-out prompt 1, training prompt 2): their reward does not show what the policy does with prompts that it was not trained on',
  ]);
});

it('prompts that repeat others of their split are counted', () => {
  expect(describeRepeats({ train: promptsOf(1, 1, 1), test: promptsOf(2, 3, 2) })).toEqual([
    '2 of the 3 training prompts repeat an earlier one: intervals over prompts count them as if they were others, and are too narrow',
    '1 of the 3 held-out prompts repeat an earlier one: intervals over prompts count them as if they were others, and are too narrow',
  ]);
});
