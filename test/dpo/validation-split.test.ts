import { describe, expect, it } from 'vitest';
import { splitByPrompt } from '../../lib/dpo/validation-split.js';

/** Examples of these prompts, which are told apart by their completions. */
const examplesOf = (...prompts: number[]) =>
  prompts.map((prompt, place) => [{ prompt: [prompt], chosen: [place], rejected: [] }]);

describe('a split by prompts', () => {
  it('without a share validates nothing, not even a single example', () => {
    for (const examples of [examplesOf(1), examplesOf(1, 1, 2)])
      expect(splitByPrompt(examples, 0, 3)).toEqual({ train: examples, validation: [] });
  });

  it('of a single example both trains and validates on it', () => {
    const examples = examplesOf(1);
    expect(splitByPrompt(examples, 0.1, 3)).toEqual({ train: examples, validation: examples });
  });

  it('holds back whole prompts until they hold the share, each example on one side', () => {
    const examples = examplesOf(1, 2, 1, 2, 3, 3, 4, 4);
    for (const [share, held] of [
      [0.01, 2],
      [0.25, 2],
      [0.26, 4],
      [0.5, 4],
    ]) {
      const { train, validation } = splitByPrompt(examples, share, 3);
      expect(validation).toHaveLength(held);
      const trained = new Set(train.map(([{ prompt }]) => prompt[0]));
      expect(validation.filter(([{ prompt }]) => trained.has(prompt[0]))).toEqual([]);
      expect([...train, ...validation].map(([{ chosen }]) => chosen[0]).sort()).toEqual(
        examples.map((_, place) => place),
      );
    }
  });

  it('leaves a prompt to train on, and one example where all are of one prompt', () => {
    const left = (...prompts: number[]) => splitByPrompt(examplesOf(...prompts), 0.99, 3).train.length;
    expect(left(1, 2, 3)).toBe(1);
    expect(left(1, 1, 1)).toBe(1);
  });

  it('of another seed holds back others', () => {
    const examples = examplesOf(...Array.from({ length: 20 }, (_, prompt) => prompt));
    const held = (seed: number) => splitByPrompt(examples, 0.3, seed).validation;
    expect(held(1)).toEqual(held(1));
    expect(held(1)).not.toEqual(held(2));
  });
});
