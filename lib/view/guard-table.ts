import { ORIGINAL, type RunEvent } from '../run/events.js';
import { comparePairs, type PairedComparison } from '../run/paired-comparison.js';
import { meaningOf, type GuardFigure } from '../reward/guard.js';
import { TO_EVALUATE } from './figure.js';
import { formatChange, formatNumber } from '../format.js';
import { beforeAndAfter, eventsOf, policyName, type EventOf } from './run-events.js';
import { numberColumn, type Table } from './table.js';

/** A guard figure as people read it: "3.21", "84.5 %", "4.09 nats". */
export function formatFigure(figure: GuardFigure, value: number): string {
  const { unit } = meaningOf(figure);
  if (unit === 'percent') return `${formatNumber(100 * value, 1)} %`;
  return unit === 'nats' ? `${formatNumber(value)} nats` : formatNumber(value);
}

/** A change of a guard figure: "+0.12", "−3.4 points". */
export function formatFigureChange(figure: GuardFigure, change: number): string {
  return meaningOf(figure).unit === 'percent'
    ? `${formatChange(100 * change, 1)} points`
    : formatChange(change);
}

/** The figures that a run's guards could measure, in the order they are shown. */
export function guardsOf(events: readonly RunEvent[]): GuardFigure[] {
  const guards = eventsOf(events, 'guarded').flatMap((event) => event.guards);
  return [...new Set(guards.map(({ figure }) => figure))];
}

/** Every guard figure on held-out prompts: a row each with its mean for every policy and its change since the original policy. */
export function guardTable(events: readonly RunEvent[]): Table {
  const evaluations = eventsOf(events, 'guarded');
  return {
    columns: [{ title: 'guard' }, ...evaluations.map(({ iteration }) => numberColumn(policyName(iteration)))],
    rows: guardsOf(events).map((figure) => {
      const summaries = evaluations.map(({ guards }) => guards.find((guard) => guard.figure === figure));
      const [original] = summaries;
      return [
        meaningOf(figure).label,
        ...summaries.map((summary, index) => {
          if (!summary) return '';
          const mean = formatFigure(figure, summary.mean);
          if (index === 0 || !original) return mean;
          return `${mean} (${formatFigureChange(figure, summary.mean - original.mean)})`;
        }),
      ];
    }),
    empty: `nothing to show yet: no measurement of the guards is finished. ${TO_EVALUATE}`,
  };
}

/**
 * What the guards measured of the original policy and of the last trained one that is evaluated: undefined of a policy whose rewards are known
 * and whose guards are not, as where a run was killed between the two.
 */
export function guardsBeforeAndAfter(events: readonly RunEvent[]): {
  before?: EventOf<'guarded'>;
  after?: EventOf<'guarded'>;
} {
  const { after } = beforeAndAfter(events, 'test');
  const of = (iteration?: number) =>
    eventsOf(events, 'guarded').find((guarded) => guarded.iteration === iteration);
  return { before: of(ORIGINAL), after: of(after?.iteration) };
}

/** A guard figure of the original and of the last trained policy, as means over samples, and paired by prompt. */
export interface GuardChange {
  figure: GuardFigure;
  before: number;
  after: number;
  comparison?: PairedComparison;
}

/** What became of every guard figure; empty where there is nothing to compare yet. */
export function guardChanges(events: readonly RunEvent[]): GuardChange[] {
  const { before, after } = guardsBeforeAndAfter(events);
  return (before?.guards ?? []).flatMap((original) => {
    const trained = after?.guards.find(({ figure }) => figure === original.figure);
    if (!trained) return [];
    const comparison = comparePairs(original.promptMeans, trained.promptMeans);
    return { figure: original.figure, before: original.mean, after: trained.mean, comparison };
  });
}
