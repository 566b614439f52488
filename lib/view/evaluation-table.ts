import { meanOf } from '../mean.js';
import type { RunEvent, Split } from '../run/events.js';
import { comparePairs } from '../run/paired-comparison.js';
import { TO_EVALUATE } from './figure.js';
import { formatChange, formatNumber } from '../format.js';
import { formatPaired } from './paired-change.js';
import { beforeAndAfter, evaluationsOf, policyOf, splitName, type Evaluation } from './run-events.js';
import { numberColumn, type Table } from './table.js';

const SPLITS: Split[] = ['test', 'train'];
/** Of tables in a notebook. */
export const NO_EVALUATION = `nothing to show yet: no evaluation is finished. ${TO_EVALUATE}`;

/**
 * Rewards and sample lengths of two policies on held-out and training prompts: the original one, unless the events say that it is another one,
 * and the last trained one. The change of a mean has its 95 % interval, a paired bootstrap over prompts, where 5 or more prompts have both. The
 * best of n samples is a mean over prompts. What is not evaluated yet is left out.
 */
export function beforeAfterTable(events: readonly RunEvent[]): Table {
  const compared = SPLITS.map((split) => ({ split, ...beforeAndAfter(events, split) }));
  const nameOf = (which: 'before' | 'after') => {
    const evaluation = compared.map((each) => each[which]).find((each) => each !== undefined);
    return evaluation ? `${which} (${policyOf(evaluation)})` : which;
  };
  return {
    columns: [{ title: '' }, ...[nameOf('before'), nameOf('after'), changeTitle(compared)].map(numberColumn)],
    rows: compared.flatMap(({ split, before, after }) => {
      if (!before) return [];
      const row = (
        name: string,
        pick: (evaluation: Evaluation) => number,
        digits: number,
        meansOf?: (evaluation: Evaluation) => readonly (number | null)[],
      ) => {
        const head = [`${name}, ${splitName(split)}`, formatNumber(pick(before), digits)];
        if (!after) return [...head, '', ''];
        const format = (change: number) => formatChange(change, digits);
        const shown = meansOf
          ? formatPaired(comparePairs(meansOf(before), meansOf(after)), format)
          : format(pick(after) - pick(before));
        return [...head, formatNumber(pick(after), digits), shown];
      };
      const samples = commonSamples(before, ...(after ? [after] : []));
      return [
        row(
          'mean reward',
          ({ statistics }) => statistics.mean,
          3,
          ({ promptMeans }) => promptMeans,
        ),
        ...(samples > 1
          ? [row(`best of ${samples} samples`, ({ bestOfN }) => bestOfN![samples - 1], 3)]
          : []),
        row('median reward', ({ statistics }) => statistics.median, 3),
        row('standard deviation', ({ statistics }) => statistics.std, 3),
        row('mean length in tokens', ({ lengths }) => meanOf(lengths), 1, meanLengths),
        ...(countUnscored(before, after) > 0
          ? [row('samples without a score', (each) => countUnscored(each), 0)]
          : []),
      ];
    }),
    empty: NO_EVALUATION,
  };
}

/** Says why there is no interval, where there is none of either split. */
function changeTitle(compared: readonly { before?: Evaluation; after?: Evaluation }[]): string {
  const comparisons = compared.flatMap(({ before, after }) => {
    const comparison = before && after && comparePairs(before.promptMeans, after.promptMeans);
    return comparison ? [comparison] : [];
  });
  if (comparisons.length === 0) return 'change';
  return comparisons.some(({ interval }) => interval)
    ? 'change (95 % CI)'
    : 'change (no 95 % CI: fewer than 5 prompts)';
}

/** Samples that are empty, or that the reward could not score; no mean of rewards has them. */
export function countUnscored(...evaluations: (Evaluation | undefined)[]): number {
  return evaluations.reduce((sum, each) => sum + (each ? each.lengths.length - each.rewards.length : 0), 0);
}

/** The largest n for which all evaluations tell the best of n samples; 0 where one, of an earlier version, does not. */
export const commonSamples = (...evaluations: Evaluation[]): number =>
  Math.min(...evaluations.map(({ bestOfN }) => bestOfN?.length ?? 0));

/** Mean length of each prompt's samples, of which every prompt has equally many. */
export function meanLengths({ lengths, promptMeans }: Evaluation): number[] {
  const samples = lengths.length / promptMeans.length;
  return promptMeans.map((_, prompt) => meanOf(lengths.slice(prompt * samples, (prompt + 1) * samples)));
}

/** Every evaluation of one split: the original policy's, then each iteration's. */
export function evaluationTable(events: readonly RunEvent[], split: Split): Table {
  const statistics = ['mean', 'median', 'std', 'min', 'p25', 'p75', 'max'] as const;
  return {
    columns: [{ title: 'policy' }, ...[...statistics, 'samples', 'tokens'].map(numberColumn)],
    rows: evaluationsOf(events, split).map((evaluation) => [
      policyOf(evaluation),
      ...statistics.map((name) => formatNumber(evaluation.statistics[name], 3)),
      String(evaluation.statistics.count),
      formatNumber(meanOf(evaluation.lengths), 1),
    ]),
    empty: NO_EVALUATION,
  };
}
