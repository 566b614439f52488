import type { Measurement } from '../scoring/measure.js';
import type { Score } from '../scoring/metrics.js';
import { formatNumber } from './format.js';
import type { Table } from './table.js';

/**
 * Every measured figure as a row, a column for each recording. A metric that could not be had is one row that says why.
 *
 * @param names of the recordings, in the order they were measured
 */
export function metricTable(names: readonly string[], measurements: readonly Measurement[]): Table {
  return {
    columns: [{ title: 'metric' }, ...names.map((title) => ({ title, align: 'left' as const }))],
    rows: measurements.flatMap(({ metric, scores }) => {
      if (scores instanceof Error)
        return [[metric, `not measured: ${scores.message}`, ...names.slice(1).map(() => '')]];
      const figures = scores.map(toFigures);
      const keys = [...new Set(figures.flatMap((figure) => Object.keys(figure)))];
      return keys.map((key) => [
        key === '' ? metric : `${metric} ${key}`,
        ...figures.map((figure) => figure[key] ?? ''),
      ]);
    }),
  };
}

function toFigures(score: Score | Error): Record<string, string> {
  if (score instanceof Error) return { '': `not measured: ${score.message}` };
  if (typeof score !== 'object') return { '': showFigure(score) };
  return Object.fromEntries(Object.entries(score).map(([name, value]) => [name, showFigure(value)]));
}

function showFigure(value: number | string): string {
  if (typeof value === 'string') return value;
  return Number.isInteger(value) ? String(value) : formatNumber(value, 3);
}
