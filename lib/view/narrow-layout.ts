import type { Annotation, Layout, LayoutAxis, Shape } from 'plotly.js-dist';
import type { Figure } from './figure.js';
import { legendHeight } from './svg/legend.js';

/** Pages less wide than this show one panel a row: labels of three side by side would not fit. */
export const NARROW_PIXELS = 760;
/** What a chart is drawn for on such a page: a phone's width less the margins. */
export const NARROW_CHART_PIXELS = 358;

const PANEL_PIXELS = 220;
/** Between two panels: ticks and title of the upper one's axis, title of the lower one. */
const GAP_PIXELS = 104;
const MARGIN = { l: 64, r: 16, b: 52 };

/** The layout of a figure for narrow pages: panels that stand side by side stand one below the other, each over the whole width. */
export function narrowLayout({ data, layout }: Figure): Partial<Layout> {
  const panels = panelsOf(layout);
  const legendPixels = legendHeight(data, NARROW_CHART_PIXELS - MARGIN.l - MARGIN.r);
  if (panels.length < 2) return layout;
  const plotPixels = panels.length * PANEL_PIXELS + (panels.length - 1) * GAP_PIXELS;
  const topOf = (row: number) => 1 - (row * (PANEL_PIXELS + GAP_PIXELS)) / plotPixels;
  const bottomOf = (row: number) => Math.max(0, topOf(row) - PANEL_PIXELS / plotPixels);
  const top = layout.margin?.t ?? 0;
  const axes = panels.flatMap(({ suffix, x, y }, row): [string, Partial<LayoutAxis>][] => [
    [`xaxis${suffix}`, { ...x, domain: [0, 1] }],
    [`yaxis${suffix}`, { ...withLabels(y, layout), domain: [bottomOf(row), topOf(row)] }],
  ]);
  const rowOf = (xref: Annotation['xref'] | Shape['xref'], x: number) =>
    panels.findIndex(({ suffix, x: { domain } }) =>
      xref === 'paper' ? domain !== undefined && domain[0] <= x && x <= domain[1] : xref === `x${suffix}`,
    );
  const annotations = (layout.annotations ?? []).map((label): Partial<Annotation> => {
    const row = rowOf(label.xref, Number(label.x));
    if (row < 0 || label.yref !== 'paper') return label;
    return { ...label, y: inRow(Number(label.y), row), ...(label.xref === 'paper' && { x: 0.5 }) };
  });
  const shapes = (layout.shapes ?? []).map((shape): Partial<Shape> => {
    const row = rowOf(shape.xref, Number(shape.x0));
    if (row < 0 || shape.yref !== 'paper') return shape;
    return { ...shape, y0: inRow(Number(shape.y0), row), y1: inRow(Number(shape.y1), row) };
  });
  function inRow(y: number, row: number): number {
    return bottomOf(row) + y * (topOf(row) - bottomOf(row));
  }
  return {
    ...layout,
    height: top + plotPixels + MARGIN.b + legendPixels,
    margin: { ...MARGIN, t: top },
    legend: { ...layout.legend, y: -(MARGIN.b + 8) / plotPixels },
    annotations: annotations as Layout['annotations'],
    ...(layout.shapes && { shapes }),
    ...Object.fromEntries(axes),
  };
}

interface Panel {
  suffix: string;
  x: Partial<LayoutAxis>;
  y: Partial<LayoutAxis>;
}

function panelsOf(layout: Partial<Layout>): Panel[] {
  const axes = layout as Record<string, Partial<LayoutAxis> | undefined>;
  return Object.keys(layout).flatMap((key) => {
    const suffix = /^xaxis(\d*)$/.exec(key)?.[1];
    if (suffix === undefined) return [];
    return [{ suffix, x: axes[key]!, y: axes[`yaxis${suffix}`] ?? {} }];
  });
}

/** A panel that stood beside the labels of another one's axis has its own. */
function withLabels(axis: Partial<LayoutAxis>, layout: Partial<Layout>): Partial<LayoutAxis> {
  if (axis.showticklabels !== false) return axis;
  return { ...axis, showticklabels: true, title: layout.yaxis?.title ?? axis.title };
}
