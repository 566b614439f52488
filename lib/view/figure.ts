import type { Annotation, Data, Layout } from 'plotly.js-dist';
import { escapeChartText } from './escape.js';

/** What plotly draws, in a page (`Plotly.newPlot`) as in a notebook (`application/vnd.plotly.v1+json`). */
export interface Figure {
  data: Data[];
  layout: Partial<Layout>;
}

/** Plotly's settings of every chart. By itself plotly.js offers to send one to its makers' cloud. */
export const CHART_CONFIG = { responsive: true, displaylogo: false, showSendToCloud: false };

/** Okabe and Ito's palette, told apart with every common kind of colour blindness ("Color Universal Design", 2008). */
export const COLORS = {
  before: '#8c8c8c',
  after: '#0072b2',
  mean: '#d55e00',
  train: '#0072b2',
  validation: '#d55e00',
  chosen: '#009e73',
  rejected: '#d55e00',
  text: '#24292f',
  faintText: '#59636e',
  grid: '#e7eaee',
  axis: '#c3c9d0',
} as const;

/** Of runs side by side, from the same palette. */
export const RUN_COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#4d4d4d'];

const FONT_FAMILY = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

/** `#rrggbb` made see-through: `opacity` from 0 to 1. */
export function translucent(color: string, opacity: number): string {
  const [red, green, blue] = [1, 3, 5].map((start) => Number.parseInt(color.slice(start, start + 2), 16));
  return `rgba(${red}, ${green}, ${blue}, ${opacity})`;
}

/** Room above the panels' titles, where plotly's buttons lie. */
const MODE_BAR_PIXELS = 24;

/**
 * The look all charts share: white, light grid, horizontal legend below the plot. Width follows the page.
 *
 * @param heightPixels without the strip for plotly's buttons on top
 */
export function baseLayout(heightPixels: number): Partial<Layout> {
  return {
    autosize: true,
    height: heightPixels + MODE_BAR_PIXELS,
    margin: { l: 64, r: 16, t: 44 + MODE_BAR_PIXELS, b: 52 },
    font: { family: FONT_FAMILY, size: 13, color: COLORS.text },
    paper_bgcolor: '#ffffff',
    plot_bgcolor: '#ffffff',
    legend: { orientation: 'h', x: 0, xanchor: 'left', y: -0.26, yanchor: 'top', traceorder: 'normal' },
    hoverlabel: { bgcolor: '#ffffff', bordercolor: COLORS.axis, font: { color: COLORS.text } },
  };
}

/**
 * An axis of the shared look; its title is shown as the text it is.
 *
 * @param standoffPixels between labels and title; less where panels stand close to each other
 */
export function axis(title: string, standoffPixels = 10): NonNullable<Layout['xaxis']> {
  return {
    title: { text: escapeChartText(title), standoff: standoffPixels, font: { size: 13 } },
    gridcolor: COLORS.grid,
    linecolor: COLORS.axis,
    showline: true,
    zeroline: false,
    ticks: 'outside',
    tickcolor: COLORS.axis,
    automargin: true,
  };
}

/** Between panels with an axis title each: room for it and for ticks also where a notebook is 480 pixels wide. */
export const PANEL_GAP = 0.16;

/** Panels side by side: what their axes' names end in (x, x2, ...), and which share of the figure's width each spans; `gap` lies between two. */
export function panelsInARow(count: number, gap: number): { suffix: string; domain: [number, number] }[] {
  const width = (1 - gap * (count - 1)) / count;
  return Array.from({ length: count }, (_, panel) => {
    const start = panel * (width + gap);
    return { suffix: panel === 0 ? '' : String(panel + 1), domain: [start, Math.min(1, start + width)] };
  });
}

/** Lines of at most so many points show each; a line of a single one has nothing else to show. */
export const SHOWN_AS_POINTS = 40;

/** A panel's heading, shown as the text it is, centred above the plot area that spans `domain` of the figure's width. */
export function panelTitle(
  text: string,
  domain: readonly [number, number],
): NonNullable<Layout['annotations']>[number] {
  return {
    text: `<b>${escapeChartText(text)}</b>`,
    xref: 'paper',
    yref: 'paper',
    x: (domain[0] + domain[1]) / 2,
    y: 1,
    yshift: 16,
    xanchor: 'center',
    yanchor: 'bottom',
    showarrow: false,
  };
}

/**
 * Stands in the place of a chart that has no data: a sentence that says so. It has no axes, since empty axes would pass for an empty
 * result.
 *
 * @param remedy what the reader of a notebook can do, as a sentence on a line of its own
 */
export function emptyFigure(sentence: string, remedy?: string): Figure {
  const nothing: Partial<Annotation> = {
    text: [sentence, ...(remedy === undefined ? [] : [remedy])].map(escapeChartText).join('<br>'),
    xref: 'paper',
    yref: 'paper',
    x: 0.5,
    y: 0.5,
    xanchor: 'center',
    yanchor: 'middle',
    showarrow: false,
    font: { color: COLORS.faintText, size: 13 },
  };
  const layout = {
    ...baseLayout(120),
    annotations: [nothing],
    xaxis: { visible: false },
    yaxis: { visible: false },
  };
  return { data: [], layout };
}

export const NOT_EVALUATED = 'Nothing to show yet: no evaluation is finished.';
export const NOT_TRAINED = 'Nothing to show yet: no training step is done.';
/** What brings a notebook's charts and tables their data. */
export const TO_EVALUATE = 'Run the cell with run.evaluateOriginal() or run.iterate(), then this one again.';
export const TO_TRAIN = 'Run the cell with run.iterate(), then this one again.';
