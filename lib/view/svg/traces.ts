import { COLORS } from '../figure.js';
import type { Trace } from './figure-parts.js';
import type { Panel } from './panels.js';

export interface LegendEntry {
  name: string;
  /** SVG of at most 20 pixels, around y = 0. */
  symbol: string;
}

type Point = readonly [number, number];

/** @param below the trace before it, which a band ("tonexty") reaches to */
export function drawTrace(trace: Trace, below: Trace | undefined, panel: Panel): string {
  if (trace.type === 'bar') return drawBars(trace, panel);
  const runs = pixelRuns(trace, panel);
  const parts: string[] = [];
  if (trace.fill === 'tonexty' && below) {
    const outline = [...runs.flat(), ...pixelRuns(below, panel).flat().reverse()];
    parts.push(`<polygon points="${points(outline)}" fill="${trace.fillcolor ?? COLORS.grid}"/>`);
  }
  const width = trace.line?.width ?? 2;
  const mode = trace.mode ?? 'lines';
  if (mode.includes('lines') && width > 0) {
    for (const run of runs) parts.push(`<polyline points="${points(run)}" ${stroke(trace)}/>`);
  }
  if (mode.includes('markers')) {
    for (const [x, y] of runs.flat()) {
      parts.push(`<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" ${marker(trace)}/>`);
    }
  }
  return parts.join('');
}

/** The traces that a legend names, each once. */
export function legendEntries(traces: readonly Trace[]): LegendEntry[] {
  const named = traces.filter(({ name, showlegend }) => name !== undefined && showlegend !== false);
  return named.map((trace) => ({ name: trace.name!, symbol: legendSymbol(trace) }));
}

function legendSymbol(trace: Trace): string {
  const fill = trace.type === 'bar' ? trace.marker?.color : trace.fill ? trace.fillcolor : undefined;
  if (fill) return `<rect y="-6" width="20" height="12" fill="${fill}"/>`;
  const mode = trace.mode ?? 'lines';
  const line = mode.includes('lines') ? `<polyline points="0,0 20,0" ${stroke(trace)}/>` : '';
  const dot = mode.includes('markers') ? `<circle cx="10" cy="0" ${marker(trace)}/>` : '';
  return line + dot;
}

function drawBars({ x, y, width = 1, marker: style }: Trace, panel: Panel): string {
  const zero = panel.y.toPixel(Math.max(0, panel.y.min));
  return x
    .map((center, i) => {
      const value = y[i];
      if (center === null || value === null || value === 0) return '';
      const [left, right] = [center - width / 2, center + width / 2].map(panel.x.toPixel);
      const top = panel.y.toPixel(value);
      return (
        `<rect x="${left.toFixed(1)}" y="${Math.min(top, zero).toFixed(1)}" width="${(right - left).toFixed(1)}" ` +
        `height="${Math.abs(zero - top).toFixed(1)}" fill="${style?.color ?? COLORS.after}" stroke="${style?.line?.color ?? 'none'}"/>`
      );
    })
    .join('');
}

/** The points in pixels, in one list for each stretch without a gap. */
function pixelRuns({ x, y }: Trace, panel: Panel): Point[][] {
  const runs: Point[][] = [[]];
  x.forEach((value, i) => {
    const height = y[i];
    if (value === null || height === null || !Number.isFinite(height)) runs.push([]);
    else runs[runs.length - 1].push([panel.x.toPixel(value), panel.y.toPixel(height)]);
  });
  return runs.filter(({ length }) => length > 0);
}

function points(run: readonly Point[]): string {
  return run.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
}

function stroke({ line }: Trace): string {
  const dash = line?.dash === 'dot' ? ' stroke-dasharray="2 3"' : line?.dash ? ' stroke-dasharray="6 4"' : '';
  return `fill="none" stroke="${line?.color ?? COLORS.after}" stroke-width="${line?.width ?? 2}" stroke-linejoin="round"${dash}`;
}

function marker({ marker: style, line }: Trace): string {
  const outline = style?.line
    ? ` stroke="${style.line.color ?? 'none'}" stroke-width="${style.line.width ?? 1}"`
    : '';
  return `r="${(style?.size ?? 6) / 2}" fill="${style?.color ?? line?.color ?? COLORS.after}"${outline}`;
}
