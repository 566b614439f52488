import type { RunEvent } from '../run/events.js';
import { comparePairs, FEWEST_PROMPTS } from '../run/paired-comparison.js';
import { summarize } from '../run/statistics.js';
import { meaningOf } from '../reward/guard.js';
import { formatNumber } from '../format.js';
import { formatFigure, formatFigureChange, guardChanges, type GuardChange } from '../view/guard-table.js';
import { commonSamples, countUnscored } from '../view/evaluation-table.js';
import { describePaired, formatPaired } from '../view/paired-change.js';
import { beforeAndAfter, type Evaluation } from '../view/run-events.js';
import { numberColumn, type Table } from '../view/table.js';
import { fittedTable } from './terminal.js';

/**
 * Held-out figures of the original and of the last trained policy as a text table, with the 95 % interval of the mean change (paired bootstrap over
 * prompts); empty where there is nothing to compare yet.
 *
 * @param width columns that the table may take
 */
export function formatBeforeAfter(events: readonly RunEvent[], reward: string, width = Infinity): string {
  const { before, after } = beforeAndAfter(events, 'test');
  if (!before || !after) return '';
  const evenShare: [string, (evaluation: Evaluation) => string] = [
    'even tokens',
    ({ statistics }) => `${formatNumber(statistics.mean * 20, 1)} %`,
  ];
  const unscored: typeof evenShare = [
    'samples without a score',
    (evaluation) => `${countUnscored(evaluation)} of ${evaluation.lengths.length}`,
  ];
  const samples = commonSamples(before, after);
  const best: typeof evenShare = [
    `best of ${samples} samples`,
    ({ bestOfN }) => formatNumber(bestOfN![samples - 1]),
  ];
  const rows: (typeof evenShare)[] = [
    ...(samples > 1 ? [best] : []),
    ...(reward === 'even-token' ? [evenShare] : []),
    ['median reward', ({ statistics }) => formatNumber(statistics.median)],
    [
      'p25 to p75 of reward',
      ({ statistics }) => `${formatNumber(statistics.p25)} to ${formatNumber(statistics.p75)}`,
    ],
    ['mean length in tokens', ({ lengths }) => formatNumber(summarize(lengths).mean, 1)],
    ['median length in tokens', ({ lengths }) => formatNumber(summarize(lengths).median, 1)],
    ...(countUnscored(before, after) > 0 ? [unscored] : []),
  ];
  const meanReward = [
    'mean reward',
    formatNumber(before.statistics.mean),
    formatNumber(after.statistics.mean),
    formatPaired(comparePairs(before.promptMeans, after.promptMeans)),
  ];
  const table: Table = {
    columns: [
      { title: 'held-out prompts' },
      ...['before', 'after'].map(numberColumn),
      { title: 'change, 95 % interval' },
    ],
    rows: [
      meanReward,
      ...rows.map(([name, format]) => [name, format(before), format(after), '']),
      ...guardChanges(events).map(formatGuard),
    ],
  };
  return fittedTable(table, width);
}

function formatGuard({ figure, before, after, comparison }: GuardChange): string[] {
  return [
    meaningOf(figure).label,
    formatFigure(figure, before),
    formatFigure(figure, after),
    formatPaired(comparison, (change) => formatFigureChange(figure, change)),
  ];
}

/** Sample size, win rate and effect size of the change in held-out reward, as a sentence; empty where there is nothing to compare yet. */
export function describeHeldOutChange(events: readonly RunEvent[]): string {
  const { before, after } = beforeAndAfter(events, 'test');
  const comparison = before && after && comparePairs(before.promptMeans, after.promptMeans);
  if (!comparison) return '';
  const intervals = comparison.interval
    ? 'Changes with an interval are means over prompts, and the intervals a paired bootstrap over them.'
    : `There are too few prompts for an interval: it takes ${FEWEST_PROMPTS} that have a score before and after.`;
  return `Held-out reward of ${describePaired(comparison)}. ${intervals}`;
}
