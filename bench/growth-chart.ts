/** Small multiples of `npm run bench -- --growth`: a column for each axis, a row for each measure, both axes of every panel logarithmic. */
import type { Data, Layout } from 'plotly.js-dist';
import { COLORS, axis, baseLayout, type Figure } from '../lib/view/figure.js';
import { MEASURES, type Measure, type Series, type Sides } from './growth-fit.js';

const ROW_PIXELS = 220;
/** Of the plot, between columns and between rows; below a row stands what its axes mean. */
const [GAP_ACROSS, GAP_DOWN] = [0.05, 0.1];

const NAMES: Record<keyof Sides, string> = { ours: 'speech-dpo', peer: 'PyTorch and transformers' };
const COLOR: Record<keyof Sides, string> = { ours: COLORS.after, peer: COLORS.mean };

const AXIS_TITLES: Record<Measure, string> = {
  'time of a step': 'DPO step, ms',
  'time of sampling': 'sampling, tokens/s',
  'memory of a step': 'memory of a step, MB',
  'memory of sampling': 'memory of sampling, MB',
};
/** A cost in the axis' unit; sampling is drawn as its rate. */
const SHOWN: Record<Measure, (cost: number, tokens: number) => number> = {
  'time of a step': (seconds) => seconds * 1e3,
  'time of sampling': (seconds, tokens) => tokens / seconds,
  'memory of a step': (bytes) => bytes / 1e6,
  'memory of sampling': (bytes) => bytes / 1e6,
};

/**
 * @param columns series of each column; a column may have different axes for different measures, and none for some
 */
export function growthFigure(columns: readonly (readonly Series[])[]): Figure {
  const rows = MEASURES.filter((measure) => columns.flat().some((series) => series.measure === measure));
  const data: Data[] = [];
  const layout: Partial<Layout> = {
    ...baseLayout(rows.length * ROW_PIXELS),
    margin: { l: 84, r: 20, t: 24, b: 56 },
  };
  rows.forEach((measure, row) => {
    const range = rangeOf(columns.flat(), measure);
    columns.forEach((column, at) => {
      const series = column.find((candidate) => candidate.measure === measure);
      if (!series) return;
      const suffix = data.length === 0 ? '' : String(data.length / 2 + 1);
      const xs = series.points.map(({ size }) => Math.log2(size));
      const ticks = roundNumbers(range);
      Object.assign(layout, {
        [`xaxis${suffix}`]: {
          ...axis(series.axis),
          domain: domain(at, columns.length, GAP_ACROSS),
          tickvals: xs,
          ticktext: series.points.map(({ label }) => label),
          range: [xs[0] - 0.25, xs.at(-1)! + 0.25],
          anchor: `y${suffix}`,
        },
        [`yaxis${suffix}`]: {
          ...axis(at === 0 ? AXIS_TITLES[measure] : ''),
          domain: domain(rows.length - 1 - row, rows.length, GAP_DOWN),
          tickvals: ticks.map(Math.log2),
          ticktext: ticks.map((tick) => tick.toLocaleString('en-US')),
          range,
          showticklabels: at === 0,
          anchor: `x${suffix}`,
        },
      });
      for (const side of ['peer', 'ours'] as const) data.push(traceOf(series, side, xs, suffix));
    });
  });
  return { data, layout };
}

function traceOf({ measure, points }: Series, side: keyof Sides, x: number[], suffix: string): Data {
  return {
    type: 'scatter',
    mode: 'lines+markers',
    name: NAMES[side],
    x,
    y: heights(measure, points, side),
    line: { color: COLOR[side], width: 2 },
    marker: { color: COLOR[side], size: 6 },
    showlegend: suffix === '',
    xaxis: `x${suffix}` as 'x',
    yaxis: `y${suffix}` as 'y',
  };
}

function heights(measure: Measure, points: Series['points'], side: keyof Sides): number[] {
  return points.map(({ costs, tokens }) => Math.log2(SHOWN[measure](costs[side], tokens)));
}

/** The same for all panels of a row, so that steepness may be compared across them. */
function rangeOf(all: readonly Series[], measure: Measure): [number, number] {
  const values = all
    .filter((series) => series.measure === measure)
    .flatMap(({ points }) => [...heights(measure, points, 'ours'), ...heights(measure, points, 'peer')]);
  return [Math.min(...values) - 0.3, Math.max(...values) + 0.3];
}

/** Multiples of powers of ten, from coarse to fine, that an axis may name. */
const MANTISSAS = [[1], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 8]];

/** Round numbers within a range of logarithms to base 2: the coarsest that are at least three, or else the finest. */
function roundNumbers([low, high]: readonly [number, number]): number[] {
  const [first, last] = [2 ** low, 2 ** high];
  const powers = Array.from({ length: 16 }, (_, i) => 10 ** (i - 6));
  const choices = MANTISSAS.map((mantissas) =>
    powers
      .flatMap((power) => mantissas.map((mantissa) => mantissa * power))
      .filter((value) => value >= first && value <= last),
  );
  return choices.find(({ length }) => length >= 3) ?? choices.at(-1)!;
}

function domain(at: number, count: number, gap: number): [number, number] {
  const share = (1 - gap * (count - 1)) / count;
  return [at * (share + gap), at * (share + gap) + share];
}
