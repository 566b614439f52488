import { formatNumber } from '../format.js';
import { meanIfAny } from '../mean.js';
import { GUARD_FIGURES, meaningOf, type Guard, type GuardFigure } from '../reward/guard.js';
import type { GuardSummary } from '../run/events.js';
import { comparePairs, meanChange } from '../run/paired-comparison.js';
import { certaintyOf } from './certainty.js';
import type { ScoredCompletion } from './scored-completion.js';

/** Means of everything that the guards measured, `scored[prompt][sample]`. */
export function summarizeGuards(scored: readonly ScoredCompletion[][]): GuardSummary[] {
  return (Object.keys(GUARD_FIGURES) as GuardFigure[]).flatMap((figure) => {
    const rewarded = scored.map((samples) => samples.filter(({ reward }) => reward !== null));
    const values = rewarded.map((samples) =>
      samples.map(({ figures }) => figures[figure]).filter((value) => value !== undefined),
    );
    const mean = meanOrNull(values.flat());
    if (mean === null) return [];
    const missing = rewarded.flat().length - values.flat().length;
    return { figure, mean, promptMeans: values.map(meanOrNull), missing };
  });
}

/** A sentence for each figure that a guard is there for but could measure of no sample. */
export function warnOfBlindGuards(guards: readonly Guard[], measured: readonly GuardSummary[]): string[] {
  return guards
    .flatMap(({ figures }) => figures)
    .filter((figure) => !measured.some((summary) => summary.figure === figure))
    .map((figure) => `the ${meaningOf(figure).label} could not be measured of any sample: no guard by it`);
}

/** What warnings are made of: one evaluation's mean rewards of each prompt, and its guard figures. */
export interface GuardedEvaluation {
  promptMeans: (number | null)[];
  guards: GuardSummary[];
}

/**
 * A sentence for each guard figure that got worse than the original policy's by more than its limit while the reward rose: the policy may be
 * gaining reward by what the reward does not see. Both are means over the prompts' changes, so that samples without a score move neither. The
 * limit does not depend on the number of prompts; the sentence says whether so many can tell the change from chance.
 */
export function warnOfHacking(original: GuardedEvaluation, now: GuardedEvaluation): string[] {
  const gain = meanChange(original.promptMeans, now.promptMeans);
  if (!(gain > 0)) return [];
  return now.guards.flatMap(({ figure, promptMeans }) => {
    const before = original.guards.find((guard) => guard.figure === figure);
    const { label, unit, better, limit } = meaningOf(figure);
    if (!before || limit === undefined) return [];
    const compared = comparePairs(before.promptMeans, promptMeans);
    if (!compared) return [];
    const sign = better === 'higher' ? -1 : 1;
    const worse = sign * compared.change;
    if (!(worse > limit)) return [];
    const show = (value: number) =>
      unit === 'percent' ? `${formatNumber(100 * value, 1)} points` : formatNumber(value);
    const moved = better === 'higher' ? 'fell' : 'rose';
    return `the reward rose by ${formatNumber(gain)} on held-out prompts, but the ${label} ${moved} by ${show(worse)} (limit ${show(limit)}): the policy may be gaming the reward; ${certaintyOf(compared, sign, show).text}`;
  });
}

export function meanOrNull(values: readonly number[]): number | null {
  return meanIfAny(values) ?? null;
}
