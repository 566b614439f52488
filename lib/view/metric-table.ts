import { weightsCommand } from '../command-text.js';
import type { Measurement } from '../scoring/measure.js';
import type { MetricScore } from '../scoring/metrics.js';
import { scoringNetworks } from '../scoring/networks.js';
import { formatNumber } from '../format.js';
import { numberColumn, type Table } from './table.js';

/**
 * Every measured figure as a row, with a column for each recording.
 *
 * @param names of the recordings, in the order they were measured
 */
export function metricTable(names: readonly string[], measurements: readonly Measurement[]): Table {
  return {
    columns: [{ title: 'metric' }, ...names.map(numberColumn)],
    rows: measurements.flatMap(({ metric, scores }) => {
      if (scores instanceof Error) return [];
      const figures = scores.map((score) => new Map(partsOf(score).filter(([, part]) => isNumber(part))));
      const keys = [...new Set(figures.flatMap((figure) => [...figure.keys()]))];
      return keys.map((key) => [
        nameOf(metric, key),
        ...showFigures(figures.map((figure) => figure.get(key) as number | undefined)),
      ]);
    }),
  };
}

/** Lists what was measured in words (transcripts and their alignments) and what could not be measured, with the reason and the remedy. */
export function metricNotes(names: readonly string[], measurements: readonly Measurement[]): Table {
  return {
    columns: [{ title: 'metric' }, { title: 'recording' }, { title: '' }],
    rows: measurements.flatMap(({ metric, scores }) => {
      if (scores instanceof Error) return [[metric, 'all', describeProblem(metric, scores)]];
      return scores.flatMap((score, i) => {
        if (score instanceof Error) return [[metric, names[i], `not measured: ${score.message}`]];
        const texts = partsOf(score).filter((part): part is [string, string] => !isNumber(part[1]));
        return texts.map(([key, text]) => [nameOf(metric, key), names[i], text]);
      });
    }),
  };
}

/** Metrics whose weights `weightsCommand` downloads. */
const WITH_WEIGHTS: readonly Measurement['metric'][] = [...scoringNetworks, 'transcript'];

function describeProblem(metric: Measurement['metric'], { message }: Error): string {
  const remedy = WITH_WEIGHTS.includes(metric)
    ? `. Where there is a network, once: ${weightsCommand(metric)}`
    : '';
  return `not measured: ${message}${remedy}`;
}

/** A score's figures and texts with their names; a single one has none. */
export function partsOf(score: MetricScore | Error | undefined): [string, number | string][] {
  if (score === undefined || score instanceof Error) return [];
  return typeof score === 'object' ? Object.entries(score) : [['', score]];
}

function isNumber(part: number | string): part is number {
  return typeof part === 'number';
}

/** A part that is named as its metric, or not at all, needs no second name. */
export function nameOf(metric: string, part: string): string {
  return part === '' || part === metric ? metric : `${metric} ${part}`;
}

/** Counts stay whole numbers. */
function showFigures(values: readonly (number | undefined)[]): string[] {
  const digits = values.every((value) => value === undefined || Number.isInteger(value)) ? 0 : 3;
  return values.map((value) => (value === undefined ? '-' : formatNumber(value, digits)));
}
