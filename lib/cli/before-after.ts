import type { RunEvent } from '../experiment/events.js';
import type { RewardName } from '../experiment/parameters.js';
import { summarize } from '../experiment/statistics.js';
import { formatNumber } from '../view/format.js';
import { beforeAndAfter, type Evaluation } from '../view/run-events.js';

/** Held-out figures of the original and of the last trained policy as a text table; empty before the first training's evaluation. */
export function formatBeforeAfter(events: readonly RunEvent[], reward: RewardName): string {
  const { before, after } = beforeAndAfter(events, 'test');
  if (!before || !after) return '';
  const rows: [string, (evaluation: Evaluation) => string][] = [
    ['mean reward', ({ statistics }) => formatNumber(statistics.mean)],
    ['median reward', ({ statistics }) => formatNumber(statistics.median)],
    [
      'p25 to p75 of reward',
      ({ statistics }) => `${formatNumber(statistics.p25)} to ${formatNumber(statistics.p75)}`,
    ],
    ['mean length (tokens)', ({ lengths }) => formatNumber(summarize(lengths).mean, 1)],
    ['median length (tokens)', ({ lengths }) => formatNumber(summarize(lengths).median, 1)],
  ];
  if (reward === 'even-token') {
    rows.unshift(['even tokens', ({ statistics }) => `${formatNumber(statistics.mean * 20, 1)} %`]);
  }
  const cells = [
    ['held-out prompts', 'before', 'after'],
    ...rows.map(([name, format]) => [name, format(before), format(after)]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column].length)));
  return cells
    .map(([name, ...values]) =>
      [name.padEnd(widths[0]), ...values.map((value, i) => value.padStart(widths[i + 1]))].join('  '),
    )
    .join('\n');
}
