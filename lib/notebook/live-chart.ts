/** Two small pictures of a run under way, below its progress bar: mean held-out reward by policy, loss by step. */
import { chunks } from '../chunks.js';
import { meanOf } from '../mean.js';
import type { RunEvent } from '../run/events.js';
import { escapeHtml } from '../view/escape.js';
import { COLORS } from '../view/figure.js';
import { formatNumber } from '../format.js';

const WIDTH = 280;
const HEIGHT = 120;
const PLOT = { left: 46, right: WIDTH - 8, top: 24, bottom: HEIGHT - 20 };
/** Points of a line; more are joined to means of neighbours. */
const MOST_POINTS = 140;
/** Read on white and on black. */
const INK = '#808080';

/** What the pictures show; in the order it came. */
export interface LiveCurves {
  /** Mean reward of the original policy and of each iteration's on held-out prompts. */
  rewards: number[];
  /** Loss of each optimizer step. */
  losses: number[];
}

export const noCurves = (): LiveCurves => ({ rewards: [], losses: [] });

/** Adds what an event tells. */
export function addToCurves(curves: LiveCurves, event: RunEvent): void {
  if (event.type === 'evaluated' && event.split === 'test') curves.rewards.push(event.statistics.mean);
  if (event.type === 'step') curves.losses.push(event.metrics.loss);
}

/**
 * @param isStill as pictures that a notebook keeps when it is not trusted, where drawings in its text are taken out; a picture that is put
 *   in the place of another one flickers, so a moving one is drawn
 * @returns markup; empty while there is nothing to compare
 */
export function liveChartsHtml({ rewards, losses }: LiveCurves, isStill: boolean): string {
  const charts: [string, string][] = [];
  const last = (values: readonly number[]) => formatNumber(values[values.length - 1], 3);
  if (rewards.length > 1 || (rewards.length === 1 && losses.length > 1)) {
    const end = rewards.length > 1 ? `iteration ${rewards.length - 2}` : '';
    charts.push([`mean held-out reward: ${last(rewards)}`, lineChart(rewards, ['original', end], true)]);
  }
  if (losses.length > 1)
    charts.push([`loss: ${last(losses)}`, lineChart(losses, ['step 1', `step ${losses.length}`], false)]);
  return charts.map(([title, content]) => picture(title, content, isStill)).join('');
}

function picture(title: string, content: string, isStill: boolean): string {
  const size = `width="${WIDTH}" height="${HEIGHT}"`;
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11" ` +
    `fill="${INK}" role="img" aria-label="${escapeHtml(title)}"><text x="${PLOT.left}" y="13">${escapeHtml(title)}</text>${content}</svg>`;
  if (!isStill) return svg;
  const data = Buffer.from(svg).toString('base64');
  return `<img ${size} alt="${escapeHtml(title)}" src="data:image/svg+xml;base64,${data}">`;
}

function lineChart(all: readonly number[], ends: [string, string], hasMarkers: boolean): string {
  const values = thinned(all);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (index: number) =>
    PLOT.left + ((PLOT.right - PLOT.left) * index) / Math.max(1, values.length - 1);
  const share = (value: number) => (high > low ? (value - low) / (high - low) : 0.5);
  const y = (value: number) => PLOT.bottom - (PLOT.bottom - PLOT.top) * share(value);
  const points = values.map((value, index) => [x(index).toFixed(1), y(value).toFixed(1)]);
  const markers = hasMarkers
    ? points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${COLORS.after}"/>`)
    : [];
  const label = (value: number) =>
    `<text x="${PLOT.left - 6}" y="${y(value) + 4}" text-anchor="end">${formatNumber(value, 3)}</text>`;
  return (
    `<path d="M${PLOT.left} ${PLOT.top}V${PLOT.bottom}H${PLOT.right}" fill="none" stroke="${INK}" stroke-opacity="0.6"/>` +
    `${label(high)}${high > low ? label(low) : ''}` +
    `<polyline points="${points.map((point) => point.join(',')).join(' ')}" fill="none" stroke="${COLORS.after}" stroke-width="1.8"/>` +
    `${markers.join('')}<text x="${PLOT.left}" y="${HEIGHT - 5}">${ends[0]}</text>` +
    `<text x="${PLOT.right}" y="${HEIGHT - 5}" text-anchor="end">${ends[1]}</text>`
  );
}

function thinned(values: readonly number[]): number[] {
  return chunks(values, Math.ceil(values.length / MOST_POINTS)).map(meanOf);
}
