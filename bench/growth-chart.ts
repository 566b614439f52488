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
  'sampling rate': 'sampling, tokens/s',
  'memory of a step': 'memory of a step, MB',
  'memory of sampling': 'memory of sampling, MB',
};
/** From seconds and bytes to what the axis says. */
const SCALE: Record<Measure, number> = {
  'time of a step': 1e3,
  'sampling rate': 1,
  'memory of a step': 1e-6,
  'memory of sampling': 1e-6,
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
      const ticks = doublings(range);
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
          tickvals: ticks,
          ticktext: ticks.map((tick) => (2 ** tick).toLocaleString('en-US')),
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
    y: points.map(({ values }) => Math.log2(values[side] * SCALE[measure])),
    line: { color: COLOR[side], width: 2 },
    marker: { color: COLOR[side], size: 6 },
    showlegend: suffix === '',
    xaxis: `x${suffix}` as 'x',
    yaxis: `y${suffix}` as 'y',
  };
}

/** The same for all panels of a row, so that steepness may be compared across them. */
function rangeOf(all: readonly Series[], measure: Measure): [number, number] {
  const values = all
    .filter((series) => series.measure === measure)
    .flatMap(({ points }) => points.flatMap((point) => [point.values.ours, point.values.peer]))
    .map((value) => Math.log2(value * SCALE[measure]));
  return [Math.min(...values) - 0.3, Math.max(...values) + 0.3];
}

/** Powers of two within the range, at most six. */
function doublings([low, high]: readonly [number, number]): number[] {
  const first = Math.ceil(low);
  const apart = Math.ceil((high - first + 1) / 6);
  return Array.from({ length: Math.floor((high - first) / apart) + 1 }, (_, i) => first + i * apart);
}

function domain(at: number, count: number, gap: number): [number, number] {
  const share = (1 - gap * (count - 1)) / count;
  return [at * (share + gap), at * (share + gap) + share];
}
