import type { Figure } from '../figure.js';

/** What the charts of this project use of plotly's traces: lines with or without markers, bands between lines, bars. */
export interface Trace {
  type?: string;
  name?: string;
  x: (number | null)[];
  y: (number | null)[];
  xaxis?: string;
  yaxis?: string;
  mode?: string;
  fill?: string;
  fillcolor?: string;
  /** Of bars, in data units. */
  width?: number;
  line?: { color?: string; width?: number; dash?: string };
  marker?: { color?: string; size?: number; line?: { color?: string; width?: number } };
  showlegend?: boolean;
}

export interface Axis {
  title?: { text?: string };
  domain?: [number, number];
  range?: [number, number];
  tickvals?: number[];
  ticktext?: string[];
  tickformat?: string;
  dtick?: number;
  rangemode?: string;
  matches?: string;
  showgrid?: boolean;
  visible?: boolean;
  showticklabels?: boolean;
  /** The other axis, where it crosses this one. */
  anchor?: string;
}

/** A line: `x` and `y` in data units of the axis that `xref` and `yref` name, or in shares of the plot ("paper"). */
export interface Line {
  xref: string;
  yref: string;
  x0: number;
  x1: number;
  y0: number;
  y1: number;
  line?: { color?: string; width?: number; dash?: string };
}

export interface Label {
  text: string;
  xref: string;
  yref: string;
  x: number;
  y: number;
  xanchor?: string;
  yshift?: number;
  font?: { color?: string; size?: number };
}

export interface FigureParts {
  heightPixels: number;
  margin: { l: number; r: number; t: number; b: number };
  traces: Trace[];
  axes: Map<string, Axis>;
  lines: Line[];
  labels: Label[];
}

/** A figure's parts as the charts of this project write them. */
export function figureParts({ data, layout }: Figure): FigureParts {
  const entries = Object.entries(layout as Record<string, unknown>);
  const axes = entries.flatMap(([key, value]): [string, Axis][] => {
    const match = /^([xy])axis(\d*)$/.exec(key);
    return match && (value as Axis).visible !== false ? [[match[1] + match[2], value as Axis]] : [];
  });
  return {
    heightPixels: layout.height ?? 360,
    margin: { l: 64, r: 16, t: 68, b: 52, ...(layout.margin as Partial<FigureParts['margin']>) },
    traces: data as unknown as Trace[],
    axes: new Map(axes),
    lines: (layout.shapes ?? []) as unknown as Line[],
    labels: (layout.annotations ?? []) as unknown as Label[],
  };
}
