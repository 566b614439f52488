import type { Data, Layout } from 'plotly.js-dist';
import { ORIGINAL, type RunEvent, type Split } from '../../run/events.js';
import type { Statistics } from '../../run/statistics.js';
import { escapeChartText } from '../escape.js';
import {
  COLORS,
  NOT_EVALUATED,
  TO_EVALUATE,
  axis,
  baseLayout,
  emptyFigure,
  panelTitle,
  translucent,
  type Figure,
} from '../figure.js';
import { meanBand } from './mean-band.js';
import { evaluationsOf, policyName, splitName, type Evaluation } from '../run-events.js';

const PANELS: { split: Split; domain: [number, number]; x: 'x' | 'x2'; y: 'y' | 'y2' }[] = [
  { split: 'test', domain: [0, 0.48], x: 'x', y: 'y' },
  { split: 'train', domain: [0.52, 1], x: 'x2', y: 'y2' },
];

/** What the band around the mean is called in the legend. */
export const MEAN_BAND = '95 % interval of the mean';

/**
 * Reward per iteration on held-out and training prompts, side by side on one scale: median, the quartiles' band and the range from the worst
 * to the best sample; and the mean with its 95 % interval over prompts, where every evaluation has 5 or more of them.
 *
 * @param rewardLabel axis title, for example "even tokens (0 to 5)"
 */
export function rewardCurves(events: readonly RunEvent[], rewardLabel: string): Figure {
  const iterations = [
    ...new Set(PANELS.flatMap(({ split }) => evaluationsOf(events, split)).map((e) => e.iteration)),
  ];
  if (iterations.length === 0) return emptyFigure(NOT_EVALUATED, TO_EVALUATE);
  const iterationAxis: NonNullable<Layout['xaxis']> = {
    ...axis('policy after iteration'),
    ...iterationTicks(iterations),
    showgrid: false,
  };
  const data = PANELS.flatMap(({ split, x, y }) =>
    splitTraces(evaluationsOf(events, split), x, y, escapeChartText(rewardLabel)),
  );
  return {
    data: nameOnce(data),
    layout: {
      ...baseLayout(400),
      hovermode: 'x unified',
      xaxis: { ...iterationAxis, domain: PANELS[0].domain },
      xaxis2: { ...iterationAxis, domain: PANELS[1].domain, anchor: 'y2' },
      yaxis: axis(rewardLabel),
      yaxis2: { ...axis(''), anchor: 'x2', matches: 'y', showticklabels: false },
      annotations: PANELS.map(({ split, domain }) => panelTitle(splitName(split), domain)),
    },
  };
}

function splitTraces(evaluations: Evaluation[], xaxis: 'x' | 'x2', yaxis: 'y' | 'y2', label: string): Data[] {
  const x = evaluations.map(({ iteration }) => iteration);
  const pick = (key: keyof Statistics) => evaluations.map(({ statistics }) => statistics[key]);
  const color = COLORS.after;
  const common = { type: 'scatter' as const, x, xaxis, yaxis };
  const means = pick('mean');
  const { low: meanLow, high: meanHigh } = meanBand(means, evaluations);
  const band = (low: number[], high: number[], fillcolor: string, name: string): Data[] => [
    {
      ...common,
      y: high,
      mode: 'lines',
      line: { width: 0 },
      legendgroup: name,
      hoverinfo: 'skip',
    },
    {
      ...common,
      y: low,
      mode: 'lines',
      line: { width: 0 },
      fill: 'tonexty',
      fillcolor,
      name,
      legendgroup: name,
      hoverinfo: 'skip',
    },
  ];
  return [
    ...band(pick('min'), pick('max'), translucent(color, 0.1), 'min to max'),
    ...band(pick('p25'), pick('p75'), translucent(color, 0.25), 'quartiles'),
    ...(meanLow && meanHigh ? band(meanLow, meanHigh, translucent(COLORS.mean, 0.3), MEAN_BAND) : []),
    {
      ...common,
      y: means,
      mode: 'lines',
      name: 'mean',
      legendgroup: 'mean',
      line: { color: COLORS.mean, width: 2, dash: 'dot' },
      ...(meanLow && meanHigh
        ? {
            customdata: meanLow.map((low, i) => [low, meanHigh[i]]),
            hovertemplate:
              'mean %{y:.3f}, 95 % interval %{customdata[0]:.3f} to %{customdata[1]:.3f}<extra></extra>',
          }
        : { hovertemplate: 'mean %{y:.3f}<extra></extra>' }),
    },
    {
      ...common,
      y: pick('median'),
      mode: 'lines+markers',
      name: 'median',
      legendgroup: 'median',
      line: { color, width: 2.5 },
      marker: { color, size: 7 },
      cliponaxis: false,
      customdata: evaluations.map(({ statistics: s, iteration }) => [
        s.p25,
        s.p75,
        s.min,
        s.max,
        s.count,
        policyName(iteration),
      ]),
      hovertemplate:
        `%{customdata[5]}: median %{y:.3f}<br>quartiles %{customdata[0]:.3f} to %{customdata[1]:.3f}` +
        `<br>min to max %{customdata[2]:.3f} to %{customdata[3]:.3f}<br>%{customdata[4]} samples, ${label}<extra></extra>`,
    },
  ];
}

/** Of the traces of one name, the legend shows the first. */
function nameOnce(data: Data[]): Data[] {
  const named = new Set<string>();
  return data.map((trace) => {
    const name = 'name' in trace ? trace.name : undefined;
    const showlegend = name !== undefined && !named.has(name);
    if (name !== undefined) named.add(name);
    return { ...trace, showlegend } as Data;
  });
}

/** At most six labels besides the original policy's: as many as stand side by side in half of a narrow page. */
export function iterationTicks(iterations: number[]): {
  tickvals: number[];
  ticktext: string[];
  range: [number, number];
} {
  const last = Math.max(0, ...iterations);
  const stride = Math.ceil((last + 1) / 6);
  const tickvals = [ORIGINAL];
  for (let iteration = stride - 1; iteration <= last; iteration += stride) tickvals.push(iteration);
  return {
    tickvals,
    ticktext: tickvals.map((iteration) => (iteration === ORIGINAL ? 'original' : String(iteration))),
    range: [ORIGINAL - 0.3, last + 0.3],
  };
}
