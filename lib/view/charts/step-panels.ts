import type { Annotation, Data, Layout, ScatterData, Shape } from 'plotly.js-dist';
import {
  COLORS,
  NOT_TRAINED,
  TO_TRAIN,
  axis,
  baseLayout,
  emptyFigure,
  panelTitle,
  PANEL_GAP,
  panelsInARow,
  SHOWN_AS_POINTS,
  translucent,
  type Figure,
} from '../figure.js';
import type { DpoMetrics } from '../../dpo/metrics.js';
import {
  isMeasured,
  smoothedTrainLine,
  trainLine,
  validationLine,
  type IterationSteps,
  type Line,
} from './step-timeline.js';

export interface Panel {
  title: string;
  axisTitle: string;
  range?: [number, number];
  /** `name` goes before the names of a series' lines where there are several series, else ''. */
  series: { metric: keyof DpoMetrics; name: string; color: string; validationColor: string }[];
}

/** Names of lines, after that of their series where there are several. */
export const RUNNING_MEAN = 'training pairs, running mean';
export const VALIDATION = 'validation pairs';

/** Panels side by side over a common axis of optimizer steps, a dotted line where each iteration starts; none of what no step has. */
export function stepPanels(timeline: IterationSteps[], wanted: Panel[]): Figure {
  if (timeline.length === 0) return emptyFigure(NOT_TRAINED, TO_TRAIN);
  const panels = wanted.filter(({ series }) => series.some(({ metric }) => isMeasured(timeline, metric)));
  const axes = panelsInARow(panels.length, PANEL_GAP).map((place, i) => ({ panel: panels[i], ...place }));
  const lastStep = timeline.at(-1)?.end ?? 0;
  const layout: Partial<Layout> = {
    ...baseLayout(380),
    annotations: axes.flatMap(({ panel, domain, suffix }) => [
      panelTitle(panel.title, domain),
      ...iterationLabels(timeline, `x${suffix}`),
    ]),
    shapes: axes.flatMap(({ suffix }) => iterationLines(timeline, `x${suffix}`)),
  };
  for (const { panel, domain, suffix } of axes) {
    const stepAxis = {
      ...axis('optimizer step'),
      domain,
      showgrid: false,
      anchor: `y${suffix}`,
      range: [0.5, lastStep + 0.5],
      ...(lastStep < 10 && { dtick: 1 }),
    };
    const valueAxis = {
      ...axis(panel.axisTitle, 4),
      anchor: `x${suffix}`,
      ...(panel.range && { range: panel.range }),
    };
    Object.assign(layout, { [`xaxis${suffix}`]: stepAxis, [`yaxis${suffix}`]: valueAxis });
  }
  return { data: axes.flatMap(({ panel, suffix }) => panelTraces(timeline, panel, suffix)), layout };
}

function panelTraces(timeline: IterationSteps[], panel: Panel, suffix: string): Data[] {
  return panel.series.flatMap(({ metric, name, color, validationColor }) => {
    const common = {
      type: 'scatter' as const,
      xaxis: `x${suffix}` as 'x',
      yaxis: `y${suffix}` as 'y',
      connectgaps: false,
      showlegend: suffix === '',
    };
    const line = (what: string, points: Line, style: Partial<ScatterData>): Partial<ScatterData> => {
      const label = name === '' ? what : `${name}, ${what}`;
      const hovertemplate = `${label}<br>step %{x}<br>${panel.axisTitle} %{y:.4g}<extra></extra>`;
      return {
        ...common,
        ...points,
        mode: points.x.length > SHOWN_AS_POINTS ? 'lines' : 'lines+markers',
        name: label,
        legendgroup: label,
        cliponaxis: false,
        hovertemplate,
        ...style,
      };
    };
    const everyStep = trainLine(timeline, metric);
    const smoothed = smoothedTrainLine(timeline, metric);
    const validation = validationLine(timeline, metric);
    const isCrowded = validation.x.length > SHOWN_AS_POINTS;
    const isSmoothed = smoothed.y.some((value, i) => value !== everyStep.y[i]);
    const faint: Partial<ScatterData> = {
      mode: 'lines',
      line: { color: translucent(color, 0.28), width: 1 },
      hoverinfo: 'skip',
    };
    const strong: Partial<ScatterData> = { line: { color, width: 2.5 }, marker: { color, size: 5 } };
    return [
      line(
        isSmoothed ? 'training pairs, each step' : 'training pairs',
        everyStep,
        isSmoothed ? faint : strong,
      ),
      ...(isSmoothed ? [line(RUNNING_MEAN, smoothed, strong)] : []),
      line(VALIDATION, validation, {
        mode: 'lines+markers',
        line: { color: validationColor, width: 1.5, dash: 'dot' },
        marker: {
          color: '#ffffff',
          size: isCrowded ? 4 : 8,
          line: { color: validationColor, width: isCrowded ? 1 : 2 },
        },
      }),
    ];
  });
}

function iterationLines(timeline: IterationSteps[], xref: string): Partial<Shape>[] {
  return timeline.slice(1).map(({ start }) => ({
    type: 'line',
    xref: xref as 'x',
    yref: 'paper',
    x0: start + 0.5,
    x1: start + 0.5,
    y0: 0,
    y1: 1,
    layer: 'below',
    line: { color: COLORS.axis, width: 1, dash: 'dot' },
  }));
}

/** "0", "1", ... at the head of each iteration's stretch; left out where they would run into each other. */
function iterationLabels(timeline: IterationSteps[], xref: string): Partial<Annotation>[] {
  if (timeline.length < 2 || timeline.length > 8) return [];
  return timeline.map(({ iteration, start }) => ({
    text: timeline.length > 4 ? String(iteration) : `iter ${iteration}`,
    xref: xref as 'x',
    yref: 'paper',
    x: start + 0.5,
    y: 1,
    xanchor: 'left',
    yanchor: 'bottom',
    showarrow: false,
    font: { size: 11, color: COLORS.faintText },
  }));
}
