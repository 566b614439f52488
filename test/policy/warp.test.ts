import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argMax, draw, warp } from '../../lib/policy/warp.js';

const logsOf = (...probabilities: number[]) => Float32Array.from(probabilities, Math.log);
const UNWARPED = { temperature: 1, topK: 0, topP: 1 };

/** Kept index to probability. */
function warped(logits: Float32Array, rules: Partial<typeof UNWARPED>): Record<number, number> {
  const { indices, probabilities } = warp(logits, { ...UNWARPED, ...rules });
  return Object.fromEntries(Array.from(indices, (index, i) => [index, probabilities[i]]));
}

function expectClose(actual: Record<number, number>, expected: Record<number, number>): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [index, probability] of Object.entries(expected))
    expect(actual[Number(index)], `probability of ${index}`).toBeCloseTo(probability, 6);
}

describe('warp', () => {
  const logits = logsOf(0.1, 0.4, 0.2, 0.3);

  it('is softmax without rules', () => {
    expectClose(warped(logits, {}), { 0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3 });
  });

  it('divides logits by the temperature', () => {
    const squares = 0.01 + 0.16 + 0.04 + 0.09;
    expectClose(warped(logits, { temperature: 0.5 }), {
      0: 0.01 / squares,
      1: 0.16 / squares,
      2: 0.04 / squares,
      3: 0.09 / squares,
    });
  });

  it('keeps the k most likely', () => {
    expectClose(warped(logits, { topK: 2 }), { 1: 4 / 7, 3: 3 / 7 });
    expectClose(warped(logits, { topK: 1 }), { 1: 1 });
    expectClose(warped(logits, { topK: 4 }), { 0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3 });
    expectClose(warped(logits, { topK: 9 }), { 0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3 });
  });

  it('keeps all that equal the k-th most likely', () => {
    expectClose(warped(logsOf(0.2, 0.4, 0.2, 0.2), { topK: 2 }), { 0: 0.2, 1: 0.4, 2: 0.2, 3: 0.2 });
    expectClose(warped(logsOf(0.3, 0.3, 0.3, 0.1), { topK: 1 }), { 0: 1 / 3, 1: 1 / 3, 2: 1 / 3 });
  });

  it('keeps the fewest most likely whose probabilities reach p', () => {
    expectClose(warped(logits, { topP: 0.35 }), { 1: 1 });
    expectClose(warped(logits, { topP: 0.65 }), { 1: 4 / 7, 3: 3 / 7 });
    expectClose(warped(logits, { topP: 0.75 }), { 1: 4 / 9, 2: 2 / 9, 3: 3 / 9 });
    expectClose(warped(logits, { topP: 0 }), { 1: 1 });
    // What reaches p exactly is enough.
    expectClose(warped(Float32Array.of(0, 0), { topP: 0.5 }), { 0: 1 });
  });

  it('applies top-p to what the temperature makes of the probabilities', () => {
    // Temperature 1/2 squares them: 9/13 and 4/13, of which the first reaches .65; as they are, .6 does not.
    const two = logsOf(0.6, 0.4);
    expectClose(warped(two, { topP: 0.65 }), { 0: 0.6, 1: 0.4 });
    expectClose(warped(two, { topP: 0.65, temperature: 0.5 }), { 0: 1 });
  });

  it('applies top-p to what top-k left over', () => {
    // Of 4/7 and 3/7 the first alone reaches .55; of all four it would not.
    expectClose(warped(logits, { topK: 2, topP: 0.55 }), { 1: 1 });
    expectClose(warped(logits, { topP: 0.55 }), { 1: 4 / 7, 3: 3 / 7 });
  });

  const rows = fc
    .array(fc.integer({ min: -40, max: 40 }), { minLength: 1, maxLength: 60 })
    .map((values) => Float32Array.from(values, (value) => value / 8));
  const rules = fc.record({
    temperature: fc.double({ min: 0.1, max: 3, noNaN: true }),
    topK: fc.nat(70),
    topP: fc.double({ min: 0.01, max: 1, noNaN: true }),
  });

  it('gives a distribution over different indices, in which the more likely are more likely', () => {
    fc.assert(
      fc.property(rows, rules, (logits, rule) => {
        const { indices, probabilities } = warp(logits, rule);
        expect(new Set(indices).size).toBe(indices.length);
        expect(probabilities.reduce((total, value) => total + value, 0)).toBeCloseTo(1, 12);
        for (let i = 1; i < indices.length; i++)
          expect(Math.sign(probabilities[i] - probabilities[i - 1])).toBe(
            Math.sign(logits[indices[i]] - logits[indices[i - 1]]),
          );
        expect([...indices]).toContain(argMax(logits));
      }),
    );
  });

  it('keeps as many as top-k says and whatever ties with the last of them, as sorting finds them', () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 70 }), (logits, topK) => {
        const { indices } = warp(logits, { ...UNWARPED, topK });
        const sorted = [...logits].sort((a, b) => b - a);
        const threshold = sorted[Math.min(topK, sorted.length) - 1];
        const expected = [...logits.keys()].filter((i) => logits[i] >= threshold);
        expect([...indices]).toEqual(expected);
      }),
    );
  });

  it('keeps the smallest set of probability p or more', () => {
    fc.assert(
      fc.property(rows, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (logits, topP) => {
        const all = warped(logits, {});
        const kept = Object.keys(warped(logits, { topP })).map((index) => all[Number(index)]);
        const mass = kept.reduce((total, value) => total + value, 0);
        expect(mass).toBeGreaterThan(topP - 1e-9);
        expect(mass - Math.min(...kept)).toBeLessThan(topP + 1e-9);
      }),
    );
  });

  it('survives extreme logits', () => {
    expectClose(warped(Float32Array.of(-1e30, 1e30, 0), { temperature: 0.1 }), { 0: 0, 1: 1, 2: 0 });
    expectClose(warped(Float32Array.of(-Infinity, 5, 5), {}), { 0: 0, 1: 0.5, 2: 0.5 });
  });
});

describe('draw', () => {
  const distribution = { indices: Int32Array.of(7, 3, 9), probabilities: Float64Array.of(0.25, 0, 0.75) };

  it('gives each index its share of [0, 1), and none to probability 0', () => {
    expect([0, 0.2499, 0.25, 0.5, 0.9999].map((uniform) => draw(distribution, uniform))).toEqual([
      7, 7, 9, 9, 9,
    ]);
  });

  it('gives the last index where rounding left a gap', () => {
    const rounded = { indices: Int32Array.of(1, 2), probabilities: Float64Array.of(0.5, 0.4999999) };
    expect(draw(rounded, 0.99999999)).toBe(2);
  });
});

it('argMax takes the first of equally large logits', () => {
  expect(argMax(Float32Array.of(1, 5, 5, 2))).toBe(1);
  expect(argMax(Float32Array.of(-3))).toBe(0);
});
