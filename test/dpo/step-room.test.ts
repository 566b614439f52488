import { expect, it } from 'vitest';
import { checkStepFits } from '../../lib/dpo/step-room.js';
import { ktoLoss } from '../../lib/dpo/losses/kto.js';
import { sigmoidLoss } from '../../lib/dpo/losses/margin.js';
import { lossNames, namedLoss } from '../../lib/dpo/losses/named.js';
import { adapterWeights, addAdapter } from '../../lib/policy/lora.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { randomPolicy } from '../support/random-policy.js';

const policy = randomPolicy(4);
const loss = sigmoidLoss(0.1);
const longest = { prompt: 20, completion: 12 };
const check = (pairs: number, freeBytes: number) =>
  checkStepFits(policy, pairs, longest, loss, { freeBytes });

/** The least that is enough, by trying. */
function needed(pairs: number, model = policy): number {
  let [low, high] = [0, 2 ** 30];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    try {
      checkStepFits(model, pairs, longest, loss, { freeBytes: middle });
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

it('asks for less where an adapter alone is trained: the base once, five numbers for each of the adapter', () => {
  const adapted = addAdapter(policy, { rank: 1, alpha: 1, targets: ['q_proj'], base: 'default' }, 1);
  const whole = needed(1);
  const numbers = (weights: Iterable<{ data: Float32Array }>) =>
    [...weights].reduce((sum, { data }) => sum + data.length, 0);
  const buffers = policy.weights.get('final_logits_bias')!.data.length;
  const base = numbers(policy.weights.values()) - buffers;
  const held = 4 * (base + 5 * numbers(adapterWeights(adapted).values()));
  const fits = (freeBytes: number) => () => checkStepFits(adapted, 1, longest, loss, { freeBytes });
  expect(fits(held)).toThrow('of the device');
  // Results of the forward and backward pass are what is left; of an adapter's they are fewer.
  expect(fits(held + whole - 5 * 4 * base)).not.toThrow();
  // Positions that nobody computes with are held all the same.
  const { max_position_embeddings: positions } = policy.config;
  const further = addAdapter(randomPolicy(4, { positions: positions + 100 }), adapted.adapter!, 1);
  expect(numbers(further.weights.values())).toBeGreaterThan(numbers(adapted.weights.values()));
  expect(needed(1, further) - needed(1, adapted)).toBe(
    4 * (numbers(further.weights.values()) - numbers(adapted.weights.values())),
  );
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
  expect(fits).toBe(3);
  expect(() => check(fits, free)).not.toThrow();
});

it('counts either side of a pair with a completion of its own where samples stand alone', () => {
  const check = (freeBytes: number) =>
    checkStepFits(policy, 1, longest, ktoLoss({ beta: 0.1 }), { freeBytes });
  expect(() => check(needed(1))).toThrow('not even one pair fits');
  expect(() => check(needed(3))).not.toThrow();
});

it.each(lossNames)('asks for what %s reads, too', (name) => {
  const named = namedLoss(parseParameters({ loss: name }));
  expect(() => checkStepFits(policy, 1, longest, named, { freeBytes: 1000 })).toThrow(
    'not even one pair fits',
  );
  expect(() => checkStepFits(policy, 1, longest, named, { freeBytes: 2 ** 30 })).not.toThrow();
});

it('says when not even one does', () => {
  expect(() => check(2, 1000)).toThrow('not even one pair fits; shorter completions (--max-new-tokens)');
  expect(() => check(1, 1000)).toThrow(/^a training step on 1 pair of/);
});
