import { COLORS, type Figure } from '../figure.js';
import { chartText } from './chart-text.js';
import { figureParts, type Label, type Line } from './figure-parts.js';
import { placeLegend } from './legend.js';
import { drawAxes, layOutPanels, type Panel } from './panels.js';
import { drawTrace } from './traces.js';

const FONT = 'font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif"';

/**
 * A figure as a still SVG picture on white: what viewers that run no scripts show in the place of the live chart. Draws what this
 * project's charts consist of (lines, markers, bands, bars, panels, straight shapes, labels, a legend), not all of plotly.
 *
 * @param id begins the ids of the picture's parts; pictures inside one page need different ones
 */
export function figureSvg(figure: Figure, widthPixels = 900, id = 'c'): string {
  const parts = figureParts(figure);
  const legend = placeLegend(parts.traces, widthPixels - parts.margin.l - parts.margin.r);
  const plotHeight = parts.heightPixels - parts.margin.t - parts.margin.b - legend.heightPixels;
  const panels = layOutPanels(parts, widthPixels, plotHeight);
  const paper = {
    left: parts.margin.l,
    top: parts.margin.t,
    width: widthPixels - parts.margin.l - parts.margin.r,
    height: plotHeight,
  };
  const content = [
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    ...panels.map((panel, i) => clipPath(panel, `${id}${i}`)),
    ...panels.map(drawAxes),
    ...panels.map(
      (panel, i) =>
        `<g clip-path="url(#${id}${i})">${panel.traces.map((trace, k) => drawTrace(trace, panel.traces[k - 1], panel)).join('')}</g>`,
    ),
    ...parts.lines.map((line) => drawLine(line, panels, paper)),
    ...parts.labels.map((label) => drawLabel(label, panels, paper)),
    legend.draw(parts.margin.l, parts.heightPixels - legend.heightPixels),
  ];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${widthPixels} ${parts.heightPixels}" width="${widthPixels}" ` +
    `height="${parts.heightPixels}" ${FONT} font-size="12" fill="${COLORS.text}">${content.join('')}</svg>`
  );
}

interface Paper {
  left: number;
  top: number;
  width: number;
  height: number;
}

function clipPath({ left, top, width, height }: Panel, id: string): string {
  // A marker on the edge is drawn whole.
  const [x, y] = [left - 6, top - 6];
  const rectangle = `<rect x="${x}" y="${y}" width="${width + 12}" height="${height + 12}"/>`;
  return `<clipPath id="${id}">${rectangle}</clipPath>`;
}

function drawLine(
  { xref, yref, x0, x1, y0, y1, line }: Line,
  panels: readonly Panel[],
  paper: Paper,
): string {
  const [fromX, toX] = [x0, x1].map((x) => toPixelX(x, xref, panels, paper).toFixed(1));
  const [fromY, toY] = [y0, y1].map((y) => toPixelY(y, yref, panels, paper).toFixed(1));
  const dash = line?.dash === undefined ? '' : ` stroke-dasharray="${line.dash === 'dot' ? '2 3' : '6 4'}"`;
  return (
    `<line x1="${fromX}" x2="${toX}" y1="${fromY}" y2="${toY}" stroke="${line?.color ?? COLORS.axis}" ` +
    `stroke-width="${line?.width ?? 1}"${dash}/>`
  );
}

function drawLabel(label: Label, panels: readonly Panel[], paper: Paper): string {
  const x = toPixelX(label.x, label.xref, panels, paper).toFixed(1);
  const y = (toPixelY(label.y, label.yref, panels, paper) - 4 - (label.yshift ?? 0)).toFixed(1);
  const anchor = { left: 'start', right: 'end' }[label.xanchor ?? ''] ?? 'middle';
  const weight = label.text.startsWith('<b>') ? ' font-weight="bold"' : '';
  const { color = COLORS.text, size = 13 } = label.font ?? {};
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}" fill="${color}"${weight}>${chartText(label.text)}</text>`;
}

function toPixelX(x: number, ref: string, panels: readonly Panel[], paper: Paper): number {
  const panel = panels.find((candidate) => candidate.xName === ref);
  return panel ? panel.x.toPixel(x) : paper.left + x * paper.width;
}

function toPixelY(y: number, ref: string, panels: readonly Panel[], paper: Paper): number {
  const panel = panels.find((candidate) => candidate.yName === ref);
  return panel ? panel.y.toPixel(y) : paper.top + (1 - y) * paper.height;
}
