import type { RunEvent } from '../experiment/events.js';
import type { RewardName } from '../experiment/parameters.js';
import { summarize } from '../experiment/statistics.js';
import { formatNumber } from '../view/format.js';
import { beforeAndAfter, type Evaluation } from '../view/run-events.js';
import { textTable } from '../view/table.js';

/** Held-out figures of the original and of the last trained policy as a text table; empty where there is nothing to compare yet. */
export function formatBeforeAfter(events: readonly RunEvent[], reward: RewardName): string {
  const { before, after } = beforeAndAfter(events, 'test');
  if (!before || !after) return '';
  const evenShare: [string, (evaluation: Evaluation) => string] = [
    'even tokens',
    ({ statistics }) => `${formatNumber(statistics.mean * 20, 1)} %`,
  ];
  const rows: (typeof evenShare)[] = [
    ...(reward === 'even-token' ? [evenShare] : []),
    ['mean reward', ({ statistics }) => formatNumber(statistics.mean)],
    ['median reward', ({ statistics }) => formatNumber(statistics.median)],
    [
      'p25 to p75 of reward',
      ({ statistics }) => `${formatNumber(statistics.p25)} to ${formatNumber(statistics.p75)}`,
    ],
    ['mean length in tokens', ({ lengths }) => formatNumber(summarize(lengths).mean, 1)],
    ['median length in tokens', ({ lengths }) => formatNumber(summarize(lengths).median, 1)],
  ];
  return textTable({
    columns: [
      { title: 'held-out prompts' },
      { title: 'before', align: 'right' },
      { title: 'after', align: 'right' },
    ],
    rows: rows.map(([name, format]) => [name, format(before), format(after)]),
  });
}
