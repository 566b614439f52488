/** How steeply a cost grows with a size: the power p of cost = c size^p. */
import { meanOf, sumOf } from '../lib/mean.js';

export const MEASURES = [
  'time of a step',
  'time of sampling',
  'memory of a step',
  'memory of sampling',
] as const;
export type Measure = (typeof MEASURES)[number];

export interface Sides {
  ours: number;
  peer: number;
}

/** What grows over one axis: seconds of a call, or bytes. */
export interface Series {
  /** The axis' title. */
  axis: string;
  measure: Measure;
  /** `tokens` are those that a call of sampling writes. */
  points: { size: number; label: string; costs: Sides; tokens: number }[];
}

/**
 * Powers that differ by less are called alike: a doubled size costs 3.5 % more or less then, which is what medians of a few calls vary by.
 */
export const MARGIN = 0.05;

export type Verdict = 'steeper' | 'alike' | 'flatter';

export interface Steepness {
  /** Powers by which the cost grows. */
  power: Sides;
  /** What the last point costs more than the first: seconds or bytes. */
  added: Sides;
  /** Of ours, by the power and by what is added. */
  byPower: Verdict;
  byAdded: Verdict;
}

/** The slope of the line through log(y) over log(x) with the least squares. */
export function logLogSlope(x: readonly number[], y: readonly number[]): number {
  const [u, v] = [x.map(Math.log), y.map(Math.log)];
  const [meanU, meanV] = [meanOf(u), meanOf(v)];
  const covariance = sumOf(u.map((value, i) => (value - meanU) * (v[i] - meanV)));
  return covariance / sumOf(u.map((value) => (value - meanU) ** 2));
}

/** @throws if the series has fewer than two points */
export function steepness({ axis, points }: Series): Steepness {
  if (points.length < 2) throw new Error(`${axis}: a slope needs two points`);
  const sizes = points.map(({ size }) => size);
  const sides = { ours: points.map(({ costs }) => costs.ours), peer: points.map(({ costs }) => costs.peer) };
  const power = { ours: logLogSlope(sizes, sides.ours), peer: logLogSlope(sizes, sides.peer) };
  const added = {
    ours: sides.ours.at(-1)! - sides.ours[0],
    peer: sides.peer.at(-1)! - sides.peer[0],
  };
  return {
    power,
    added,
    byPower: compare(power.ours - power.peer, MARGIN),
    byAdded: compare(added.ours - added.peer, MARGIN * Math.abs(added.peer)),
  };
}

function compare(difference: number, margin: number): Verdict {
  if (Math.abs(difference) <= margin) return 'alike';
  return difference > 0 ? 'steeper' : 'flatter';
}
