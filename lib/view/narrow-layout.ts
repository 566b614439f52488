import type { Annotation, Layout, LayoutAxis, Shape } from 'plotly.js-dist';
import { panelsInARow, type Figure } from './figure.js';
import { legendHeight } from './svg/legend.js';

/** Pages less wide than this show one panel a row: labels of three side by side would not fit. */
export const NARROW_PIXELS = 760;
/** What a chart is drawn for on such a page: a phone's width less the margins. */
export const NARROW_CHART_PIXELS = 358;

const PANEL_PIXELS = 220;
/** Between two panels: ticks and title of the upper one's axis, title of the lower one. */
const GAP_PIXELS = 104;
/** Between two panels of a row, as a share of the width. */
const GAP = 0.1;
const MARGIN = { l: 64, r: 16, b: 52 };
const MOST_IN_A_ROW = 3;
/** Of a share of the height that was computed in two ways. */
const ROUNDING = 1e-9;

/** The layout of a figure for narrow pages: panels that stand side by side stand one below the other, each over the whole width. */
export function narrowLayout(figure: Figure): Partial<Layout> {
  return panelsOf(figure.layout).length < 2 ? figure.layout : inColumns(figure, 1, NARROW_CHART_PIXELS);
}

/** A figure of more than three panels has two in a row: more side by side have no room for titles and labels on pages of a usual width. */
export function inShortRows(figure: Figure): Figure {
  if (panelsOf(figure.layout).length <= MOST_IN_A_ROW) return figure;
  return { ...figure, layout: inColumns(figure, 2, NARROW_PIXELS) };
}

function inColumns({ data, layout }: Figure, columns: number, widthPixels: number): Partial<Layout> {
  const panels = panelsOf(layout);
  const legendPixels = legendHeight(data, widthPixels - MARGIN.l - MARGIN.r);
  const rows = Math.ceil(panels.length / columns);
  const plotPixels = rows * PANEL_PIXELS + (rows - 1) * GAP_PIXELS;
  const places = panels.map((panel, i) => {
    const top = 1 - (Math.floor(i / columns) * (PANEL_PIXELS + GAP_PIXELS)) / plotPixels;
    const bottom = Math.max(0, top - PANEL_PIXELS / plotPixels);
    return { ...panel, top, bottom, domain: panelsInARow(columns, GAP)[i % columns].domain };
  });
  const top = layout.margin?.t ?? 0;
  const axes = places.flatMap(({ suffix, x, y, ...place }): [string, Partial<LayoutAxis>][] => [
    [`xaxis${suffix}`, { ...x, domain: place.domain }],
    [`yaxis${suffix}`, { ...withLabels(y, layout), domain: [place.bottom, place.top] }],
  ]);
  /** Where the panel goes that a label or line is of. */
  const placeOf = (xref: Annotation['xref'] | Shape['xref'], x: number, y: number) =>
    places.find((panel) => {
      if (xref !== 'paper') return xref === `x${panel.suffix}`;
      const [[from, to], [low, high]] = [panel.x.domain ?? [0, 1], panel.y.domain ?? [0, 1]];
      return from <= x && x <= to && low - ROUNDING <= y && y <= high + ROUNDING;
    });
  const inPlace = (y: number, { y: { domain = [0, 1] }, top, bottom }: (typeof places)[number]) =>
    bottom + ((y - domain[0]) / (domain[1] - domain[0])) * (top - bottom);
  const annotations = (layout.annotations ?? []).map((label): Partial<Annotation> => {
    const place = placeOf(label.xref, Number(label.x), Number(label.y));
    if (!place || label.yref !== 'paper') return label;
    const [from, to] = place.domain;
    return {
      ...label,
      y: inPlace(Number(label.y), place),
      ...(label.xref === 'paper' && { x: (from + to) / 2 }),
    };
  });
  const shapes = (layout.shapes ?? []).map((shape): Partial<Shape> => {
    const place = placeOf(shape.xref, Number(shape.x0), Number(shape.y0));
    if (!place || shape.yref !== 'paper') return shape;
    return { ...shape, y0: inPlace(Number(shape.y0), place), y1: inPlace(Number(shape.y1), place) };
  });
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
