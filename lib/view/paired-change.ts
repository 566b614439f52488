import type { Interval } from '../run/interval.js';
import type { PairedComparison } from '../run/paired-comparison.js';
import { formatChange, formatCount, formatNumber } from '../format.js';
import { numberColumn } from './table.js';

type FormatChange = (change: number) => string;

/** What the columns of {@link pairedCells} mean, for a caption. */
export const PAIRED_NOTE =
  'CI: expanded percentiles (95 %) of a paired bootstrap over prompts, where there are 5 or more. d_z: Cohen’s d of paired samples, the mean ' +
  'difference over the standard deviation of the differences. Win rate: share of prompts that got better, and half of those that stayed equal.';

/** "+0.42 (+0.21 to +0.60)"; "+0.42 (no interval)" where fewer than 5 prompts could be compared; blank where none could. */
export function formatPaired(
  comparison: PairedComparison | undefined,
  format: FormatChange = formatChange,
): string {
  if (!comparison) return '';
  const { change, interval } = comparison;
  return interval ? formatInterval(interval, format) : `${format(change)} (no interval)`;
}

/** "+0.42 (+0.21 to +0.60)" */
export const formatInterval = ({ mean, low, high }: Interval, format: FormatChange): string =>
  `${format(mean)} (${format(low)} to ${format(high)})`;

/** Titles of {@link pairedCells}. */
export const PAIRED_COLUMNS = ['change (95 % CI)', 'n prompts', 'd_z', 'win rate'].map(numberColumn);

/** Change with interval, n, effect size and win rate; blank where nothing could be compared. */
export function pairedCells(
  comparison: PairedComparison | undefined,
  format: FormatChange = formatChange,
): string[] {
  if (!comparison) return PAIRED_COLUMNS.map(() => '');
  const { n, effectSize, winRate } = comparison;
  return [
    formatPaired(comparison, format),
    String(n),
    effectSize === undefined ? '-' : formatNumber(effectSize),
    formatShare(winRate),
  ];
}

/** "10 prompts: win rate 95 % (ties count half), effect size d_z = 1.32". */
export function describePaired({ n, effectSize, winRate }: PairedComparison): string {
  const size = effectSize === undefined ? '' : `, effect size d_z = ${formatNumber(effectSize)}`;
  return `${formatCount(n, 'prompt')}: win rate ${formatShare(winRate)} (ties count half)${size}`;
}

function formatShare(share: number): string {
  return `${formatNumber(100 * share, 0)} %`;
}
