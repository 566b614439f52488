import { describe, expect, it } from 'vitest';
import { packCompletion, packPrompt } from '../../lib/policy/pack.js';
import { randomPolicy } from '../support/random-policy.js';

const policy = randomPolicy(1, { positions: 12 });
const { bos_token_id: bos, eos_token_id: eos } = policy.config;
const [text] = policy.tokenizer.encodeText('a');

describe('packPrompt', () => {
  it('is <s> instruction </s> codes </s>', () => {
    expect(packPrompt(policy, 'aa', [0, 3])).toEqual([bos, text, text, eos, 12, 15, eos]);
  });

  it('takes a prompt that fills all positions, and says what fits if it does not', () => {
    expect(packPrompt(policy, 'aa', Array(7).fill(1))).toHaveLength(12);
    expect(() => packPrompt(policy, 'aa', Array(8).fill(1))).toThrow(
      `the prompt "aa" has 13 ids (2 of text, 8 codes), more than the model's 12 positions: use a recording of at most 7 frames`,
    );
  });

  it('says by its beginning that an instruction leaves no room for a recording', () => {
    expect(packPrompt(policy, 'a'.repeat(8), [1])).toHaveLength(12);
    expect(() => packPrompt(policy, 'a'.repeat(50), [1])).toThrow(
      `the instruction "${'a'.repeat(40)}..." is too long: its 50 ids leave no room for a recording in the model's 12 positions`,
    );
  });

  it('refuses a prompt with nothing to edit', () => {
    expect(() => packPrompt(policy, 'a', [])).toThrow(
      'the prompt "a" with 0 codes has 4 ids: at least 5 are needed',
    );
    expect(packPrompt(policy, 'a', [1])).toHaveLength(5);
  });
});

describe('packCompletion', () => {
  it('is <s> codes </s>, which may be empty', () => {
    expect(packCompletion(policy, [2, 1])).toEqual([bos, 14, 13, eos]);
    expect(packCompletion(policy, [])).toEqual([bos, eos]);
  });

  it('refuses more codes than positions', () => {
    expect(packCompletion(policy, Array(10).fill(1))).toHaveLength(12);
    expect(() => packCompletion(policy, Array(11).fill(1))).toThrow(
      "a completion of 11 codes has 13 ids with <s> and </s>, more than the model's 12 positions: at most 10 codes fit",
    );
  });
});
