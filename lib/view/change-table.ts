import { comparePairs, type PairedComparison } from '../run/paired-comparison.js';
import { ORIGINAL, type RunEvent, type Split } from '../run/events.js';
import { meaningOf, type GuardFigure } from '../reward/guard.js';
import { NO_EVALUATION, meanLengths } from './evaluation-table.js';
import { formatChange } from '../format.js';
import { formatFigureChange, guardsBeforeAndAfter, guardsOf } from './guard-table.js';
import { PAIRED_COLUMNS, pairedCells } from './paired-change.js';
import { beforeAndAfter, evaluationsOf, policyName, policyOf, splitName } from './run-events.js';
import type { Table } from './table.js';

/** A figure that has a mean for each prompt, in one evaluation on held-out prompts. */
export interface PromptFigure {
  name: string;
  /** Undefined of figures that are neither good nor bad. */
  better?: 'higher' | 'lower';
  means: (number | null)[];
  formatChange: (change: number) => string;
}

/** Reward, length and guard figures of the last policy that is evaluated (or of the original one), by prompt. */
export function promptFigures(events: readonly RunEvent[], which: 'original' | 'last'): PromptFigure[] {
  const { before, after } = beforeAndAfter(events, 'test');
  const evaluation = which === 'original' ? before : after;
  const guards = guardsBeforeAndAfter(events);
  const guarded = which === 'original' ? guards.before : guards.after;
  if (!evaluation) return [];
  return [
    { name: 'reward', better: 'higher', means: evaluation.promptMeans, formatChange },
    {
      name: 'length in tokens',
      means: meanLengths(evaluation),
      formatChange: (change) => formatChange(change, 1),
    },
    ...guardsOf(events).flatMap((figure) => {
      const summary = guarded?.guards.find((guard) => guard.figure === figure);
      return summary ? [guardFigure(figure, summary.promptMeans)] : [];
    }),
  ];
}

function guardFigure(figure: GuardFigure, means: (number | null)[]): PromptFigure {
  const { label, better, unit } = meaningOf(figure);
  return {
    name: unit === 'nats' ? `${label} in nats` : label,
    better,
    means,
    formatChange: (change) => formatFigureChange(figure, change),
  };
}

/** The figure of the same name in another list, and the paired comparison with it; a length wins nothing. */
export function compareFigure(
  figure: PromptFigure,
  others: readonly PromptFigure[],
): PairedComparison | undefined {
  const other = others.find(({ name }) => name === figure.name);
  return other && comparePairs(figure.means, other.means, figure.better);
}

/** Cells of a comparison; the win rate is left blank where neither direction is better. */
export function figureCells(figure: PromptFigure, comparison: PairedComparison | undefined): string[] {
  const cells = pairedCells(comparison, figure.formatChange);
  return figure.better ? cells : [...cells.slice(0, -1), ''];
}

/** What training changed on held-out prompts, paired by prompt: a row for the reward, the length and each guard figure; see PAIRED_NOTE. */
export function changeTable(events: readonly RunEvent[]): Table {
  const after = promptFigures(events, 'last');
  const policies = beforeAndAfter(events, 'test');
  const [from, to] = [policies.before, policies.after].map((each) => (each ? policyOf(each) : undefined));
  const which = from === undefined || to === undefined ? '' : `, ${to} against ${from}`;
  return {
    columns: [{ title: `held-out prompts${which}` }, ...PAIRED_COLUMNS],
    rows: promptFigures(events, 'original').flatMap((figure) => {
      const comparison = compareFigure(figure, after);
      return comparison ? [[figure.name, ...figureCells(figure, comparison)]] : [];
    }),
    empty: NO_EVALUATION,
  };
}

/** The reward of every iteration's policy against the original policy's on the same prompts. */
export function rewardChangeTable(events: readonly RunEvent[], split: Split): Table {
  const [original, ...trained] = evaluationsOf(events, split);
  const rows = original?.iteration === ORIGINAL ? trained : [];
  return {
    columns: [{ title: `reward, ${splitName(split)}` }, ...PAIRED_COLUMNS],
    rows: rows.map(({ iteration, promptMeans }) => [
      policyName(iteration),
      ...pairedCells(comparePairs(original.promptMeans, promptMeans)),
    ]),
    empty: NO_EVALUATION,
  };
}
