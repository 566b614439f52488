import type { RunEvent, Split } from '../run/events.js';
import { formatChange, formatNumber } from './format.js';
import { beforeAndAfter, evaluationsOf, policyName, splitName, type Evaluation } from './run-events.js';
import type { Column, Table } from './table.js';

const SPLITS: Split[] = ['test', 'train'];
const right = (title: string): Column => ({ title, align: 'right' });

/**
 * Rewards and sample lengths of the original and of the trained policy on held-out and training prompts; what is not
 * evaluated yet is left out.
 */
export function beforeAfterTable(events: readonly RunEvent[]): Table {
  return {
    columns: [{ title: '' }, right('before'), right('after'), right('change')],
    rows: SPLITS.flatMap((split) => {
      const { before, after } = beforeAndAfter(events, split);
      if (!before) return [];
      const row = (name: string, pick: (evaluation: Evaluation) => number, digits: number) => [
        `${name}, ${splitName(split)}`,
        formatNumber(pick(before), digits),
        after ? formatNumber(pick(after), digits) : '',
        after ? formatChange(pick(after) - pick(before), digits) : '',
      ];
      return [
        row('mean reward', ({ statistics }) => statistics.mean, 3),
        row('median reward', ({ statistics }) => statistics.median, 3),
        row('standard deviation', ({ statistics }) => statistics.std, 3),
        row('mean length in tokens', ({ lengths }) => meanOf(lengths), 1),
      ];
    }),
  };
}

/** Every evaluation of one split: the original policy's, then each iteration's. */
export function evaluationTable(events: readonly RunEvent[], split: Split): Table {
  const statistics = ['mean', 'median', 'std', 'min', 'p25', 'p75', 'max'] as const;
  return {
    columns: [{ title: 'policy' }, ...[...statistics, 'samples', 'tokens'].map(right)],
    rows: evaluationsOf(events, split).map((evaluation) => [
      policyName(evaluation.iteration),
      ...statistics.map((name) => formatNumber(evaluation.statistics[name], 3)),
      String(evaluation.statistics.count),
      formatNumber(meanOf(evaluation.lengths), 1),
    ]),
  };
}

/** The mean; NaN of nothing. */
export function meanOf(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}
