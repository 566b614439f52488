import { expect, it } from 'vitest';
import { checkStepFits } from '../../lib/dpo/step-room.js';
import { sigmoidLoss } from '../../lib/dpo/losses/margin.js';
import { randomPolicy } from '../support/random-policy.js';

const policy = randomPolicy(4);
const objective = { loss: sigmoidLoss(0.1) };
const longest = { prompt: 20, completion: 12 };
const check = (pairs: number, freeBytes: number) =>
  checkStepFits(policy, pairs, longest, objective, { freeBytes });

/** The least that is enough, by trying. */
function needed(pairs: number): number {
  let [low, high] = [0, 2 ** 30];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    try {
      check(pairs, middle);
      high = middle;
    } catch {
      low = middle;
    }
  }
  return high;
}

it('compares nothing where the device does not tell', () => {
  expect(() => check(1000, Infinity)).not.toThrow();
});

it('asks for what parameters, gradients, moments and sums take, and more for more pairs', () => {
  const parameters = [...policy.weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  expect(needed(1)).toBeGreaterThan(4 * 4 * parameters);
  expect(needed(4)).toBeGreaterThan(needed(1));
});

it('says how many pairs fit, and they do', () => {
  const free = needed(3);
  const sentence = (() => {
    try {
      check(8, free);
      return 'fits';
    } catch (error) {
      return (error as Error).message;
    }
  })();
  expect(sentence).toMatch(
    /^a training step on 8 pairs of prompts of up to 20 ids and completions of up to 12 takes .* GiB are free; batches of \d fit: --batch-size \d --gradient-accumulation-steps \d$/,
  );
  const fits = Number(/batches of (\d)/.exec(sentence)![1]);
  expect(fits).toBeGreaterThanOrEqual(2);
  expect(fits).toBeLessThanOrEqual(3);
  expect(() => check(fits, free)).not.toThrow();
});

it('says when not even one does', () => {
  expect(() => check(2, 1000)).toThrow('not even one pair fits; shorter completions (--max-new-tokens)');
  expect(() => check(1, 1000)).toThrow(/^a training step on 1 pair of/);
});
