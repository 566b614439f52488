/** Tables of a comparison; all differences are paired by prompt. */
import { parametersSchema } from '../../run/parameters.js';
import { describeRunDevice } from '../../run/run-files.js';
import { compareFigure, figureCells, promptFigures } from '../change-table.js';
import { formatNumber, formatValue } from '../../format.js';
import { PAIRED_COLUMNS, pairedCells } from '../paired-change.js';
import { comparePairs } from '../../run/paired-comparison.js';
import { beforeAndAfter, policyName } from '../run-events.js';
import { numberColumn, type Table } from '../table.js';
import { differingParameters, haveSamePrompts, haveSameReward, type ComparedRun } from './runs.js';

/** What every run did to its held-out reward. */
export function resultTable(runs: readonly ComparedRun[]): Table {
  const isOneReward = runs.every((run) => haveSameReward(runs[0], run));
  return {
    columns: [
      { title: 'run' },
      ...(isOneReward ? [] : [{ title: 'reward' }]),
      { title: 'last policy' },
      ...['before', 'after'].map(numberColumn),
      ...PAIRED_COLUMNS,
    ],
    rows: runs.map(({ label, rewardLabel, events, record }) => {
      const { before, after } = beforeAndAfter(events, 'test');
      return [
        label,
        ...(isOneReward ? [] : [record.reward ? rewardLabel : 'none: given pairs']),
        after ? policyName(after.iteration) : '',
        before ? formatNumber(before.statistics.mean) : '',
        after ? formatNumber(after.statistics.mean) : '',
        ...pairedCells(before && after && comparePairs(before.promptMeans, after.promptMeans)),
      ];
    }),
  };
}

/**
 * How the last policy of every other run differs from that of the first run on the same held-out prompts, in reward, length and guard
 * figures. What cannot be paired is left out; {@link comparisonNotes} says why.
 */
export function differenceTable(runs: readonly ComparedRun[]): Table {
  const [first, ...others] = runs;
  const figures = promptFigures(first.events, 'last');
  return {
    columns: [{ title: `held-out prompts, last policies against that of ${first.label}` }, ...PAIRED_COLUMNS],
    rows: figures.flatMap((figure) =>
      others.flatMap((run) => {
        if (!haveSamePrompts(first, run)) return [];
        if (figure.name === 'reward' && !haveSameReward(first, run)) return [];
        const comparison = compareFigure(figure, promptFigures(run.events, 'last'));
        return comparison ? [[`${figure.name}, ${run.label}`, ...figureCells(figure, comparison)]] : [];
      }),
    ),
  };
}

/** The parameters whose values are not the same in all runs; and device and versions, where those differ. */
export function differingTable(runs: readonly ComparedRun[]): Table {
  const names = [...new Set(runs.flatMap(({ record }) => Object.keys(record.versions)))];
  const others: [string, string[]][] = [
    ['device', runs.map(({ record }) => (record.device ? describeRunDevice(record.device) : 'the CPU'))],
    ...names.map((name): [string, string[]] => [
      `version of ${name}`,
      runs.map(({ record }) => record.versions[name] ?? ''),
    ]),
  ];
  return {
    columns: [{ title: 'parameter' }, ...runs.map(({ name }) => ({ title: name })), { title: 'meaning' }],
    rows: [
      ...differingParameters(runs).map((name) => [
        name,
        ...runs.map(({ record }) => formatValue(record.parameters[name])),
        parametersSchema.shape[name].description ?? '',
      ]),
      ...others
        .filter(([, values]) => new Set(values).size > 1)
        .map(([name, values]) => [name, ...values, '']),
    ],
  };
}
