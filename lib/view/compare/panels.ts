/** Curves of several runs in panels beside each other. Runs that differ in their seed alone have one colour where there are other runs beside them. */
import type { Data, Layout } from 'plotly.js-dist';
import { escapeChartText } from '../escape.js';
import {
  COLORS,
  RUN_COLORS,
  SHOWN_AS_POINTS,
  baseLayout,
  emptyFigure,
  panelTitle,
  PANEL_GAP,
  panelsInARow,
  translucent,
  type Figure,
} from '../figure.js';
import { inShortRows } from '../narrow-layout.js';
import type { ComparedRun } from './runs.js';
import { groupBySeed } from './seeds.js';

export interface Panel {
  title: string;
  xAxis: NonNullable<Layout['xaxis']>;
  yAxis: NonNullable<Layout['yaxis']>;
  curves: (Curve & { run: ComparedRun })[];
  /** What the runs are measured against, in grey below their curves. */
  baselines?: Baseline[];
}

/** One name in the legend for all of the same name. */
export interface Baseline extends Required<Pick<Curve, 'x' | 'y' | 'text'>> {
  name: string;
}

export interface Curve {
  x: (number | null)[];
  y: (number | null)[];
  /** What is said of each point under the pointer; default its height. */
  text?: string[];
  /** The band around it. */
  low?: number[];
  high?: number[];
  /** What it smooths, drawn faintly. */
  behind?: { x: (number | null)[]; y: (number | null)[] };
}

const DASHES = ['solid', 'dash', 'dot'] as const;

/** @param otherwise what is shown where there are no panels */
export function panelFigure(
  runs: readonly ComparedRun[],
  panels: readonly Panel[],
  heightPixels: number,
  otherwise: string,
): Figure {
  if (panels.length === 0) return emptyFigure(otherwise);
  const styles = styleRuns(runs);
  const named = new Set<ComparedRun | string>();
  const layout: Partial<Layout> = { ...baseLayout(heightPixels), annotations: [] };
  const data: Data[] = [];
  const places = panelsInARow(panels.length, PANEL_GAP);
  panels.forEach(({ title, xAxis, yAxis, curves, baselines = [] }, i) => {
    const { suffix, domain } = places[i];
    Object.assign(layout, {
      [`xaxis${suffix}`]: { ...xAxis, domain, anchor: `y${suffix}` },
      [`yaxis${suffix}`]: { ...yAxis, anchor: `x${suffix}` },
    });
    layout.annotations!.push(panelTitle(title, domain));
    const place = { xaxis: `x${suffix}`, yaxis: `y${suffix}` };
    // Bands and what is smoothed lie below all lines.
    for (const curve of curves) data.push(...underlay(curve, styles.get(curve.run)!, place));
    for (const baseline of baselines) {
      data.push(baselineLine(baseline, place, !named.has(baseline.name)));
      named.add(baseline.name);
    }
    for (const curve of curves) {
      data.push(line(curve, styles.get(curve.run)!, place, !named.has(curve.run)));
      named.add(curve.run);
    }
  });
  return inShortRows({ data, layout });
}

interface Style {
  color: string;
  dash: (typeof DASHES)[number];
}

function styleRuns(runs: readonly ComparedRun[]): Map<ComparedRun, Style> {
  const groups = groupBySeed(runs);
  const isGrouped = groups.length > 1 && groups.length < runs.length;
  const places = isGrouped
    ? groups.flatMap((group, color) => group.map((run, dash) => ({ run, color, dash })))
    : runs.map((run, i) => ({ run, color: i, dash: Math.floor(i / RUN_COLORS.length) }));
  return new Map(
    places.map(({ run, color, dash }) => [
      run,
      { color: RUN_COLORS[color % RUN_COLORS.length], dash: DASHES[dash % DASHES.length] },
    ]),
  );
}

type Place = { xaxis: string; yaxis: string };

function underlay(
  { run, x, low, high, behind }: Panel['curves'][number],
  style: Style,
  place: Place,
): Data[] {
  const common = {
    ...place,
    type: 'scatter',
    mode: 'lines',
    showlegend: false,
    hoverinfo: 'skip',
    legendgroup: run.label,
  };
  const bare = { ...common, x, line: { width: 0 } };
  return [
    ...(low && high
      ? [
          { ...bare, y: high },
          { ...bare, y: low, fill: 'tonexty', fillcolor: translucent(style.color, 0.14) },
        ]
      : []),
    ...(behind
      ? [
          {
            ...common,
            ...behind,
            connectgaps: false,
            line: { color: translucent(style.color, 0.25), width: 1 },
          },
        ]
      : []),
  ] as Data[];
}

function baselineLine({ name, x, y, text }: Baseline, place: Place, showlegend: boolean): Data {
  return {
    ...place,
    type: 'scatter',
    mode: 'lines+markers',
    name,
    legendgroup: name,
    showlegend,
    x,
    y,
    text,
    line: { color: COLORS.before, width: 1.6, dash: 'dot' },
    marker: { color: COLORS.before, size: 4 },
    cliponaxis: false,
    hovertemplate: '%{text}<extra></extra>',
  } as Data;
}

function line(
  { run, x, y, text }: Panel['curves'][number],
  { color, dash }: Style,
  place: Place,
  showlegend: boolean,
): Data {
  const name = escapeChartText(run.label);
  return {
    ...place,
    type: 'scatter',
    mode: x.length > SHOWN_AS_POINTS ? 'lines' : 'lines+markers',
    name,
    legendgroup: run.label,
    showlegend,
    connectgaps: false,
    x,
    y,
    line: { color, width: 2.2, ...(dash !== 'solid' && { dash }) },
    marker: { color, size: 6 },
    cliponaxis: false,
    ...(text && { text }),
    hovertemplate: `${name}: ${text ? '%{text}' : '%{y:.4g}'}<extra></extra>`,
  } as Data;
}
