import { describe, expect, it } from 'vitest';
import { batchShape, collatePairs, type BatchShape, type PreferencePair } from '../../lib/dpo/batch.js';
import { compileBatch, splitTrained } from '../../lib/train/gradient-program.js';
import { pairProgram } from '../../lib/dpo/pair-program.js';
import { sigmoidLoss } from '../../lib/dpo/losses/margin.js';
import { buffersOf } from '../../lib/policy/architecture.js';
import { MASKED } from '../../lib/policy/padding.js';
import { randomPolicy } from '../support/random-policy.js';
import { randomPairs } from './random-pairs.js';
import { device } from '../support/device.js';

const policy = randomPolicy(6, { positions: 70 });
const { config } = policy;

async function logps(pairs: PreferencePair[], shape: BatchShape): Promise<number[]> {
  const split = splitTrained(policy.weights, buffersOf(policy));
  const program = pairProgram(policy, shape, { loss: sigmoidLoss(0.1) });
  const run = await compileBatch(program, split, { device, backward: false });
  const weights = Object.fromEntries(
    [...split.trained].map(([name, { data }]) => [name, data as Float32Array]),
  );
  const result = await run({ ...weights, ...collatePairs(pairs, shape, policy) });
  await run.dispose();
  return [...result.logps];
}

describe('collatePairs', () => {
  it('pads prompts and completions, shifts decoder inputs, masks', () => {
    const pairs = [
      { prompt: [0, 7, 2], chosen: [0, 12, 2], rejected: [0, 2] },
      { prompt: [0, 2], chosen: [0, 13, 14, 2], rejected: [0, 15, 2] },
    ];
    const batch = collatePairs(pairs, { pairs: 2, promptLength: 4, completionLength: 5 }, policy);
    expect([...batch.promptIds]).toEqual([0, 7, 2, 1, 0, 2, 1, 1]);
    expect([...batch.promptMask]).toEqual([0, 0, 0, MASKED, 0, 0, MASKED, MASKED].map(Math.fround));
    expect([...batch.labels]).toEqual([0, 12, 2, 1, 1, 0, 2, 1, 1, 1, 0, 13, 14, 2, 1, 0, 15, 2, 1, 1]);
    expect([...batch.decoderIds]).toEqual([2, 0, 12, 1, 1, 2, 0, 1, 1, 1, 2, 0, 13, 14, 1, 2, 0, 15, 1, 1]);
    expect([...batch.labelMask]).toEqual([1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 0, 0]);
  });
});

describe('batchShape', () => {
  it('rounds lengths up, so that few shapes are compiled, and never beyond the positions', () => {
    const pair = (prompt: number, chosen: number, rejected: number): PreferencePair => ({
      prompt: Array<number>(prompt).fill(5),
      chosen: Array<number>(chosen).fill(5),
      rejected: Array<number>(rejected).fill(5),
    });
    expect(batchShape([pair(3, 4, 17), pair(33, 2, 2)], config)).toEqual({
      pairs: 2,
      promptLength: 64,
      completionLength: 32,
    });
    expect(batchShape([pair(65, 70, 1)], config)).toEqual({
      pairs: 1,
      promptLength: 70,
      completionLength: 70,
    });
    expect(batchShape([pair(32, 16, 16)], config)).toEqual({
      pairs: 1,
      promptLength: 32,
      completionLength: 16,
    });
  });
});

describe("a pair's log-probabilities", () => {
  it('do not depend on padding or on the other pairs of the batch', async () => {
    const pairs = randomPairs(config, 3);
    const together = await logps(pairs, { pairs: 3, promptLength: 64, completionLength: 48 });
    for (const [i, pair] of pairs.entries()) {
      const longest = Math.max(pair.chosen.length, pair.rejected.length);
      const alone = await logps([pair], {
        pairs: 1,
        promptLength: pair.prompt.length,
        completionLength: longest,
      });
      alone.forEach((value, side) => expect(Math.abs(value - together[2 * i + side])).toBeLessThan(2e-5));
    }
    expect(new Set(together).size).toBe(6);
  });

  it('count every label once: an empty completion is the probability of <s> and </s>', async () => {
    const [{ prompt }] = randomPairs(config, 1);
    const shape = { pairs: 1, promptLength: prompt.length, completionLength: 16 };
    const [short, long] = await logps([{ prompt, chosen: [0], rejected: [0, 2] }], shape);
    expect(short).toBeLessThan(0);
    expect(long).toBeLessThan(short);
  });
});
