import { COLORS } from '../figure.js';
import { chartText, widthOf } from './chart-text.js';
import type { Axis, FigureParts, Trace } from './figure-parts.js';
import { linearScale, paddedRange, roundTicks, tickLabels, type Scale } from './scale.js';

/** One plot area with its axes and what is drawn in it; pixels from the picture's top left. */
export interface Panel {
  xName: string;
  yName: string;
  left: number;
  top: number;
  width: number;
  height: number;
  x: Scale;
  y: Scale;
  xAxis: Axis;
  yAxis: Axis;
  traces: Trace[];
}

/** A panel for each pair of axes, over the shares of width and height that their domains name. */
export function layOutPanels(parts: FigureParts, widthPixels: number, plotHeight: number): Panel[] {
  const { margin, axes, traces } = parts;
  const plotWidth = widthPixels - margin.l - margin.r;
  return [...axes.keys()]
    .filter((name) => name.startsWith('x'))
    .map((xName) => {
      const xAxis = axes.get(xName)!;
      const yName = axes.has('y' + xName.slice(1)) ? 'y' + xName.slice(1) : 'y';
      const yAxis = axes.get(yName) ?? {};
      const [from, to] = xAxis.domain ?? [0, 1];
      const [left, width] = [margin.l + from * plotWidth, (to - from) * plotWidth].map(
        (pixels) => Math.round(pixels * 10) / 10,
      );
      const [bottom, above] = yAxis.domain ?? [0, 1];
      const [top, height] = [margin.t + (1 - above) * plotHeight, (above - bottom) * plotHeight].map(
        (pixels) => Math.round(pixels * 10) / 10,
      );
      const own = traces.filter((trace) => (trace.xaxis ?? 'x') === xName);
      const xRange = xAxis.range ?? paddedRange(own.flatMap(horizontalExtent), false);
      return {
        xName,
        yName,
        left,
        top,
        width,
        height,
        x: linearScale(xRange, left, left + width),
        y: linearScale(verticalRange(parts, yName, yAxis), top + height, top),
        xAxis,
        yAxis,
        traces: own,
      };
    });
}

function horizontalExtent({ x, width = 0 }: Trace): number[] {
  return numbers(x).flatMap((value) => [value - width / 2, value + width / 2]);
}

/** Axes that match share the range of all their traces. */
function verticalRange({ axes, traces }: FigureParts, name: string, axis: Axis): [number, number] {
  if (axis.range) return axis.range;
  const group = axis.matches ?? name;
  const shared = [...axes.keys()].filter((other) => other === group || axes.get(other)!.matches === group);
  const own = traces.filter((trace) => shared.includes(trace.yaxis ?? 'y'));
  const fromZero = axis.rangemode === 'tozero' || own.some(({ type }) => type === 'bar');
  return paddedRange(
    own.flatMap(({ y }) => numbers(y)),
    fromZero,
  );
}

/** Grid, ticks with labels, the axes' lines and titles. */
export function drawAxes(panel: Panel): string {
  return drawVertical(panel) + drawHorizontal(panel);
}

function drawVertical({ left, top, width, height, y, yAxis }: Panel): string {
  const ticks = yAxis.tickvals ?? roundTicks([y.min, y.max], 6, yAxis.dtick);
  const labels = yAxis.ticktext ?? tickLabels(ticks, yAxis.tickformat?.endsWith('%'));
  const marks = ticks.map((tick, i) => {
    const at = y.toPixel(tick).toFixed(1);
    const grid = `<line x1="${left}" x2="${(left + width).toFixed(1)}" y1="${at}" y2="${at}" stroke="${COLORS.grid}"/>`;
    if (yAxis.showticklabels === false) return grid;
    return `${grid}<text x="${left - 8}" y="${Number(at) + 4}" text-anchor="end">${chartText(labels[i])}</text>`;
  });
  const longest = yAxis.showticklabels === false ? 0 : Math.max(0, ...labels.map(widthOf));
  const [titleX, titleY] = [left - 20 - longest, top + height / 2].map(Math.round);
  const title = yAxis.title?.text
    ? `<text transform="rotate(-90 ${titleX} ${titleY})" x="${titleX}" y="${titleY}" text-anchor="middle" font-size="13">${chartText(yAxis.title.text)}</text>`
    : '';
  const line = `<line x1="${left}" x2="${left}" y1="${top}" y2="${top + height}" stroke="${COLORS.axis}"/>`;
  return marks.join('') + title + line;
}

function drawHorizontal({ left, top, width, height, x, xAxis }: Panel): string {
  const bottom = top + height;
  const ticks = xAxis.tickvals ?? horizontalTicks(x, width, xAxis);
  const labels = xAxis.ticktext ?? tickLabels(ticks, xAxis.tickformat?.endsWith('%'));
  const marks = ticks.map((tick, i) => {
    const at = x.toPixel(tick).toFixed(1);
    const grid =
      xAxis.showgrid === false
        ? ''
        : `<line x1="${at}" x2="${at}" y1="${top}" y2="${bottom}" stroke="${COLORS.grid}"/>`;
    const mark = `<line x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 5}" stroke="${COLORS.axis}"/>`;
    return `${grid}${mark}<text x="${at}" y="${bottom + 18}" text-anchor="middle">${chartText(labels[i])}</text>`;
  });
  const title = xAxis.title?.text
    ? `<text x="${(left + width / 2).toFixed(1)}" y="${bottom + 40}" text-anchor="middle" font-size="13">${chartText(xAxis.title.text)}</text>`
    : '';
  const line = `<line x1="${left}" x2="${(left + width).toFixed(1)}" y1="${bottom}" y2="${bottom}" stroke="${COLORS.axis}"/>`;
  return marks.join('') + title + line;
}

/** As many round ticks as have room for their labels. */
function horizontalTicks(x: Scale, width: number, { dtick, tickformat }: Axis): number[] {
  for (let count = Math.floor(width / 40); ; count--) {
    const ticks = roundTicks([x.min, x.max], count, dtick);
    const widest = Math.max(0, ...tickLabels(ticks, tickformat?.endsWith('%')).map(widthOf));
    if (count <= 1 || ticks.length < 2 || x.toPixel(ticks[1]) - x.toPixel(ticks[0]) >= widest + 24)
      return ticks;
  }
}

function numbers(values: readonly (number | null)[]): number[] {
  return values.filter((value): value is number => value !== null && Number.isFinite(value));
}
