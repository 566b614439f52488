import { meanOf } from '../../mean.js';
import type { Annotation, Data, Shape } from 'plotly.js-dist';
import type { RunEvent, Split } from '../../run/events.js';
import { summarize } from '../../run/statistics.js';
import { escapeChartText } from '../escape.js';
import {
  COLORS,
  NOT_EVALUATED,
  TO_EVALUATE,
  axis,
  baseLayout,
  emptyFigure,
  translucent,
  type Figure,
} from '../figure.js';
import { formatNumber } from '../../format.js';
import { beforeAndAfter, policyTitle, type Evaluation } from '../run-events.js';

export interface Histogram {
  /** The bins' edges, one more than there are bins. */
  edges: number[];
  /** Share of the values in each bin, 0 to 1, a list for each set of values. */
  shares: number[][];
}

/** Rewards of the evaluation samples before training and after the last iteration. */
export function rewardDistribution(events: readonly RunEvent[], split: Split, rewardLabel: string): Figure {
  return distribution(beforeAndAfter(events, split), ({ rewards }) => rewards, rewardLabel, 2);
}

/** Lengths of the evaluation samples in tokens (codec frames) before training and after the last iteration. */
export function lengthDistribution(events: readonly RunEvent[], split: Split): Figure {
  return distribution(beforeAndAfter(events, split), ({ lengths }) => lengths, 'sample length (tokens)', 0);
}

function distribution(
  { before, after }: ReturnType<typeof beforeAndAfter>,
  valuesOf: (evaluation: Evaluation) => readonly number[],
  label: string,
  digits: number,
): Figure {
  const shown = [
    { evaluation: before, color: COLORS.before },
    { evaluation: after, color: COLORS.after },
  ].flatMap(({ evaluation, color }) => {
    const values = evaluation ? valuesOf(evaluation) : [];
    if (!evaluation || values.length === 0) return [];
    return [{ name: escapeChartText(policyTitle(evaluation)), values, color }];
  });
  if (shown.length === 0) return emptyFigure(NOT_EVALUATED, TO_EVALUATE);
  const { edges, shares } = histogram(shown.map(({ values }) => values));
  const sets = shown.map((set, i) => ({ ...set, share: shares[i] }));
  return {
    data: sets.map(({ name, share, color }) => bars(name, share, edges, color, digits)),
    layout: {
      ...baseLayout(324),
      // There is no title above the labels of the means.
      margin: { ...baseLayout(324).margin, t: 52 },
      barmode: 'overlay',
      xaxis: axis(label),
      yaxis: { ...axis('share of samples'), tickformat: '.0%', rangemode: 'tozero' },
      shapes: sets.map(({ values, color }) => meanLine(meanOf(values), color)),
      annotations: sets.map(({ values, color }, i) => meanLabel(values, sets, i, color, digits)),
    },
  };
}

/**
 * Counts each set of values in bins that all sets share: bins as wide as Freedman and Diaconis' rule makes them for
 * the set with the narrower middle half, 12 to 50 of them; whole numbers get bins a whole number wide.
 */
export function histogram(sets: readonly (readonly number[])[]): Histogram {
  const all = sets.flat();
  if (all.length === 0) return { edges: [0, 1], shares: sets.map(() => [0]) };
  const { min: low, max: high } = summarize(all);
  const spread = high - low || 1;
  const ideal = Math.min(...sets.filter(({ length }) => length > 0).map(freedmanDiaconisWidth));
  let width = Math.min(spread / 12, Math.max(spread / 50, ideal));
  let start = low;
  if (all.every(Number.isInteger)) {
    width = Math.max(1, Math.round(width));
    start = low - 0.5;
  }
  const bins = Math.floor((low + spread - start) / width) + 1;
  const edges = Array.from({ length: bins + 1 }, (_, i) => start + i * width);
  const shares = sets.map((values) => {
    const counts = new Array<number>(bins).fill(0);
    for (const value of values) counts[Math.min(bins - 1, Math.floor((value - start) / width))]++;
    return counts.map((count) => count / Math.max(1, values.length));
  });
  return { edges, shares };
}

function freedmanDiaconisWidth(values: readonly number[]): number {
  const { p25, p75 } = summarize(values);
  return (2 * (p75 - p25)) / Math.cbrt(values.length);
}

function bars(name: string, shares: number[], edges: number[], color: string, digits: number): Data {
  return {
    type: 'bar',
    name,
    x: shares.map((_, i) => (edges[i] + edges[i + 1]) / 2),
    y: shares,
    width: edges[1] - edges[0],
    marker: { color: translucent(color, 0.55), line: { color, width: 1 } },
    customdata: shares.map((_, i) => [formatNumber(edges[i], digits), formatNumber(edges[i + 1], digits)]),
    hovertemplate: `${name}<br>%{customdata[0]} to %{customdata[1]}: %{y:.1%} of samples<extra></extra>`,
  };
}

function meanLine(x: number, color: string): Partial<Shape> {
  return {
    type: 'line',
    xref: 'x',
    yref: 'paper',
    x0: x,
    x1: x,
    y0: 0,
    y1: 1,
    line: { color, width: 2, dash: 'dash' },
  };
}

/** The mean beside its line, on the side away from the other set's line. */
function meanLabel(
  values: readonly number[],
  sets: readonly { values: readonly number[] }[],
  index: number,
  color: string,
  digits: number,
): Partial<Annotation> {
  const own = meanOf(values);
  const other = sets[1 - index];
  const onLeft =
    other !== undefined && (own < meanOf(other.values) || (own === meanOf(other.values) && index === 0));
  return {
    text: `<b>mean ${formatNumber(own, Math.max(1, digits))}</b>`,
    xref: 'x',
    yref: 'paper',
    x: own,
    y: 1,
    xanchor: onLeft ? 'right' : 'left',
    yanchor: 'bottom',
    showarrow: false,
    // Too light for a text: the bars' grey.
    font: { color: color === COLORS.before ? COLORS.faintText : color, size: 12 },
  };
}
