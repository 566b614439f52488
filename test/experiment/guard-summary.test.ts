import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hackingOf } from '../../lib/experiment/evaluate.js';
import { summarizeGuards, warnOfBlindGuards, warnOfHacking } from '../../lib/experiment/guard-summary.js';
import type { GuardSummary } from '../../lib/run/events.js';
import type { ScoredCompletion } from '../../lib/experiment/scored-completion.js';
import { GUARD_FIGURES, type GuardFigure, type GuardFigures } from '../../lib/reward/guard.js';

const completion = (figures: GuardFigures, reward: number | null = 1) =>
  ({ codes: [1], reward, rank: reward, finished: true, details: {}, figures }) as ScoredCompletion;

describe('summarizeGuards', () => {
  it('averages over all samples with a reward, and over those of each prompt', () => {
    const scored = [
      [completion({ dnsmos: 1 }), completion({ dnsmos: 2 }), completion({ dnsmos: 9 }, null)],
      [completion({ dnsmos: 6 })],
      [completion({})],
    ];
    expect(summarizeGuards(scored)).toEqual([
      { figure: 'dnsmos', mean: 3, promptMeans: [1.5, 6, null], missing: 1 },
    ]);
  });

  it('leaves out what nothing measured', () => {
    expect(summarizeGuards([[completion({})]])).toEqual([]);
  });
});

it('warns of a guard that could measure nothing', () => {
  const guards = [{ figures: ['dnsmos', 'wer'] as const, measure: async () => ({}) }];
  const measured: GuardSummary[] = [{ figure: 'dnsmos', mean: 3, promptMeans: [3], missing: 0 }];
  expect(warnOfBlindGuards(guards, measured)).toEqual([
    'the word error rate could not be measured of any sample: no guard by it',
  ]);
});

describe('warnOfHacking', () => {
  const evaluation = (reward: number, figures: Partial<Record<GuardFigure, number>>) => ({
    promptMeans: [reward],
    guards: Object.entries(figures).map(([figure, mean]): GuardSummary => ({
      figure: figure as GuardFigure,
      mean,
      promptMeans: [mean],
      missing: 0,
    })),
  });
  const original = evaluation(3, { dnsmos: 3, fidelity: 0.9, wer: 0.1, silence: 0 });

  it('warns of every figure that got worse by more than its limit, in points where it is a percentage', () => {
    const warnings = warnOfHacking(original, evaluation(3.5, { dnsmos: 2.85, fidelity: 0.84, wer: 0.14 }));
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toContain(
      'the reward rose by 0.50 on held-out prompts, but the DNSMOS OVRL fell by 0.15 (limit 0.10)',
    );
    expect(warnings[1]).toContain('edit fidelity fell by 6.0 points (limit 5.0 points)');
    expect(warnings[2]).toContain('word error rate rose by 4.0 points (limit 3.0 points)');
  });

  it.each([
    ['one prompt', [-0.2], '1 prompt cannot tell it from chance'],
    ['four', [-0.2, -0.2, -0.2, -0.3], '4 prompts cannot tell it from chance'],
    ['five that fell alike', [-0.2, -0.2, -0.2, -0.2, -0.2], '95 % interval over 5 prompts: 0.20 to 0.20'],
    [
      'five of which one fell',
      [-1, 0, 0, 0, 0],
      '95 % interval over 5 prompts: 0.00 to 0.80, so that it may be chance',
    ],
  ])('says whether it can be told from chance: %s', (_, changes, certainty) => {
    const evaluated = (reward: number, dnsmos: number[]) => ({
      promptMeans: dnsmos.map(() => reward),
      guards: [{ figure: 'dnsmos' as const, mean: 3, promptMeans: dnsmos, missing: 0 }],
    });
    const before = changes.map(() => 3);
    const after = changes.map((change) => 3 + change);
    const [warning] = warnOfHacking(evaluated(3, before), evaluated(3.5, after));
    expect(warning.split('; ').at(-1)).toBe(certainty);
  });

  it('gives the interval of a rise for what is better lower', () => {
    const evaluated = (reward: number, wer: number[]) => ({
      promptMeans: wer.map(() => reward),
      guards: [{ figure: 'wer' as const, mean: 0, promptMeans: wer, missing: 0 }],
    });
    const [warning] = warnOfHacking(
      evaluated(3, [0, 0, 0, 0, 0, 0]),
      evaluated(4, [0.05, 0.06, 0.05, 0.06, 0.05, 0.06]),
    );
    expect(warning).toMatch(
      /rate rose by 5\.5 points .*; 95 % interval over 6 prompts: (4|5)\.\d points to (5|6)\.\d points$/,
    );
  });

  it('takes the mean reward of held-out samples for what rises', () => {
    const evaluated = (rewards: number[], dnsmos: number) => ({
      train: [[completion({}, 5 - rewards[0])]],
      test: [rewards.map((reward) => completion({ dnsmos }, reward))],
    });
    // The median goes the other way.
    const [low, high] = [evaluated([1, 1, 0], 3), evaluated([0, 0, 9], 2)];
    expect(hackingOf(low, high)).toEqual([expect.stringContaining('the reward rose by 2.33 on held-out')]);
    expect(hackingOf(evaluated([0, 0, 9], 3), evaluated([1, 1, 0], 2))).toEqual([]);
  });

  it('takes the mean change of prompts, which samples without a score do not move', () => {
    const evaluated = (rewards: (number | null)[][], dnsmos: number[]) => ({
      train: [],
      test: rewards.map((ofPrompt, prompt) =>
        ofPrompt.map((reward) => completion({ dnsmos: dnsmos[prompt] }, reward)),
      ),
    });
    const original = evaluated(
      [
        [4, 4],
        [1, 1],
      ],
      [3, 1],
    );
    // Over samples both means rise, since the worse prompt has lost one: 2.5 to 2.97, and 2 to 2.27.
    const now = evaluated(
      [
        [3.9, 4.1],
        [0.9, null],
      ],
      [2.85, 0.85],
    );
    expect(hackingOf(original, now)).toEqual([]);
    const better = evaluated(
      [
        [4, 4.4],
        [1, null],
      ],
      [2.85, 0.85],
    );
    expect(hackingOf(original, better)).toEqual([
      expect.stringContaining(
        'the reward rose by 0.10 on held-out prompts, but the DNSMOS OVRL fell by 0.15',
      ),
    ]);
  });

  it('warns when silence rises', () => {
    const [warning, ...others] = warnOfHacking(
      evaluation(2.8, { silence: 0.027 }),
      evaluation(3.2, { silence: 0.081 }),
    );
    expect(others).toEqual([]);
    expect(warning).toContain('the silent frames rose by 5.4 points (limit 5.0 points)');
  });

  it('has the limits that docs/preference.md tells', () => {
    const [, section] = readFileSync('docs/preference.md', 'utf8').split("### The guard's limits");
    const told = [
      ...section.split('\n## ')[0].matchAll(/^\| (.+?) +\| (lower|higher) +\| ([\d.]+)( points)? +\|$/gm),
    ];
    const limits = Object.values(GUARD_FIGURES).flatMap((figure) =>
      'limit' in figure
        ? [[figure.label, figure.better === 'higher' ? 'lower' : 'higher', figure.limit]]
        : [],
    );
    expect(
      told.map(([, label, worse, limit, points]) => [
        label,
        worse,
        points ? Number(limit) / 100 : Number(limit),
      ]),
    ).toEqual(limits);
  });

  it.each([
    ['at a limit', evaluation(3.5, { silence: 0.05 })],
    ['within its limits', evaluation(3.5, { dnsmos: 2.95, fidelity: 0.86, wer: 0.12 })],
    ['that got better', evaluation(3.5, { dnsmos: 4, fidelity: 1, wer: 0 })],
    ['whose reward stayed as it was', evaluation(3, { dnsmos: 2, fidelity: 0.1, wer: 0.9 })],
    ['whose reward fell too', evaluation(2.9, { dnsmos: 2, fidelity: 0.1, wer: 0.9 })],
    ['without a limit', evaluation(3.5, { clipping: 1 })],
  ])('is silent about a policy %s', (_, now) => {
    expect(warnOfHacking(original, now)).toEqual([]);
  });
});
