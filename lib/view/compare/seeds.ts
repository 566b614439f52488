/** Runs that differ in their seed alone are samples of one experiment. */
import { groupBy } from '../../group-by.js';
import type { Interval } from '../../run/interval.js';
import { comparePairs } from '../../run/paired-comparison.js';
import { ORIGINAL } from '../../run/events.js';
import { rewardLabelOf, type RecordedRun } from '../../run/run-files.js';
import { studentInterval } from '../../run/student-t.js';
import { formatChange, formatNumber, formatValue } from '../../format.js';
import { formatInterval, formatPaired } from '../paired-change.js';
import { beforeAndAfter } from '../run-events.js';
import { numberColumn, type Table } from '../table.js';
import { differingParameters } from './runs.js';

/** One experiment with several seeds: mean held-out reward before and after, with Student's 95 % interval over seeds. */
export interface OverSeeds<R extends RecordedRun = RecordedRun> {
  /** One run for each seed; their number is the sample size. */
  runs: R[];
  before: Interval;
  after: Interval;
  /** Of after less before, within each seed. */
  change: Interval;
}

/** Groups of runs that have the same parameters but for the seed. */
export function groupBySeed<R extends RecordedRun>(runs: readonly R[]): R[][] {
  const groups = groupBy(runs, ({ record }) => {
    const { seed: _, ...settings } = record.parameters;
    return JSON.stringify([settings, rewardLabelOf(record)]);
  });
  return [...groups.values()];
}

/**
 * What each experiment of which there are two seeds or more came to. A run that has not finished counts where it is evaluated as far as the
 * furthest one, since fewer iterations are another experiment; of a seed's runs that count only the first does.
 */
export function overSeeds<R extends RecordedRun>(runs: readonly R[]): OverSeeds<R>[] {
  return groupBySeed(runs).flatMap((group) => {
    const seeds = new Set<number>();
    const evaluations = group.map(({ events }) => beforeAndAfter(events, 'test'));
    const furthest = Math.max(...evaluations.map(({ after }) => after?.iteration ?? ORIGINAL));
    const results = group.flatMap((run, i) => {
      const { seed, state } = run.record;
      const { before, after } = evaluations[i];
      if (!before || !after || seeds.has(seed)) return [];
      if (state !== 'finished' && after.iteration < furthest) return [];
      seeds.add(seed);
      return [{ run, before: before.statistics.mean, after: after.statistics.mean }];
    });
    if (results.length < 2) return [];
    return [
      {
        runs: results.map(({ run }) => run),
        before: studentInterval(results.map(({ before }) => before)),
        after: studentInterval(results.map(({ after }) => after)),
        change: studentInterval(results.map(({ before, after }) => after - before)),
      },
    ];
  });
}

export const SEEDS_NOTE =
  'In a seed’s row: CI by a paired bootstrap over prompts. In the row of all seeds: the mean over seeds with Student’s 95 % interval, n = ' +
  'number of seeds. An interval over prompts says what other prompts would change, one over seeds what another training would.';

/** Held-out reward of every seed and over seeds; a block for each experiment of which there are two seeds or more. */
export function seedTable(runs: readonly RecordedRun[]): Table {
  const groups = overSeeds(runs);
  const differing = differingParameters(groups.map(({ runs: [run] }) => run)).filter(
    (name) => name !== 'seed',
  );
  return {
    columns: [
      ...(differing.length > 0 ? [{ title: differing.join(', ') }] : []),
      { title: 'seed' },
      { title: 'run' },
      ...['before', 'after', 'change (95 % CI)', 'n'].map(numberColumn),
    ],
    rows: groups.flatMap((group) => {
      const { parameters } = group.runs[0].record;
      const settings =
        differing.length > 0 ? [differing.map((name) => formatValue(parameters[name])).join(', ')] : [];
      return [
        ...group.runs.map(({ record, events }) => [
          ...settings,
          ...seedCells(record.seed, record.run, events),
        ]),
        [...settings, ...allSeedsCells(group)],
      ];
    }),
  };
}

function seedCells(seed: number, run: string, events: RecordedRun['events']): string[] {
  const { before, after } = beforeAndAfter(events, 'test');
  const [from, to] = [before!, after!];
  const comparison = comparePairs(from.promptMeans, to.promptMeans);
  return [
    String(seed),
    run,
    formatNumber(from.statistics.mean),
    formatNumber(to.statistics.mean),
    formatPaired(comparison),
    `${comparison?.n ?? 0} prompts`,
  ];
}

function allSeedsCells({ runs, before, after, change }: OverSeeds): string[] {
  return [
    'all',
    '',
    formatInterval(before, formatNumber),
    formatInterval(after, formatNumber),
    formatInterval(change, formatChange),
    `${runs.length} seeds`,
  ];
}
