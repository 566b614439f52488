import type { Annotation, Data, Layout } from 'plotly.js-dist';
import type { RunEvent } from '../../run/events.js';
import { meaningOf, type GuardFigure } from '../../reward/guard.js';
import { COLORS, axis, baseLayout, emptyFigure, panelsInARow, panelTitle, type Figure } from '../figure.js';
import { guardsOf } from '../guard-table.js';
import { inShortRows } from '../narrow-layout.js';
import { eventsOf } from '../run-events.js';
import { iterationTicks } from './reward-curves.js';

/** Free width between two panels, as a share of the figure's. */
const GAP = 0.08;

/**
 * The guard figures that have a limit, a panel each: their mean on held-out prompts for every policy, and the limit beyond which a rising reward
 * is worth a warning. Percentages are shown as such.
 */
export function guardCurves(events: readonly RunEvent[]): Figure {
  const evaluations = eventsOf(events, 'guarded');
  const figures = guardsOf(events).filter((figure) => meaningOf(figure).limit !== undefined);
  if (figures.length === 0)
    return emptyFigure(
      'Nothing to show: this run has no measurements of its guards.',
      'They come with the parameter guard: true and the cell with run.evaluateOriginal().',
    );
  const iterations = evaluations.map(({ iteration }) => iteration);
  const data: Data[] = [];
  const layout: Partial<Layout> = { ...baseLayout(320), annotations: [] };
  const places = panelsInARow(figures.length, GAP);
  figures.forEach((figure, panel) => {
    const { suffix, domain } = places[panel];
    const scale = meaningOf(figure).unit === 'percent' ? 100 : 1;
    const means = evaluations.map(({ guards }) => guards.find((guard) => guard.figure === figure)?.mean);
    const place = { xaxis: `x${suffix}`, yaxis: `y${suffix}`, showlegend: panel === 0 };
    data.push(
      {
        ...place,
        type: 'scatter',
        mode: 'lines+markers',
        name: 'mean',
        legendgroup: 'mean',
        x: iterations,
        y: means.map((mean) => (mean === undefined ? null : mean * scale)),
        line: { color: COLORS.after, width: 2.5 },
        marker: { color: COLORS.after, size: 7 },
        cliponaxis: false,
        hovertemplate: '%{y:.2f}<extra></extra>',
      } as Data,
      {
        ...place,
        type: 'scatter',
        mode: 'lines',
        name: 'limit',
        legendgroup: 'limit',
        x: iterations,
        y: iterations.map(() => (means[0] === undefined ? null : limitOf(figure, means[0]) * scale)),
        line: { color: COLORS.rejected, width: 1.5, dash: 'dash' },
        hoverinfo: 'skip',
      } as Data,
    );
    Object.assign(layout, {
      [`xaxis${suffix}`]: {
        ...axis('policy after iteration'),
        domain,
        anchor: `y${suffix}`,
        ...iterationTicks(iterations),
        showgrid: false,
      },
      [`yaxis${suffix}`]: { ...axis(''), anchor: `x${suffix}` },
    });
    const unit = scale === 100 ? ' (%)' : '';
    (layout.annotations as Partial<Annotation>[]).push(panelTitle(meaningOf(figure).label + unit, domain));
  });
  return inShortRows({ data, layout });
}

/** The worst mean without a warning. */
function limitOf(figure: GuardFigure, original: number): number {
  const { better, limit = 0 } = meaningOf(figure);
  return better === 'higher' ? original - limit : original + limit;
}
