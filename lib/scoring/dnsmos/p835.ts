import { chunks } from '../../chunks.js';
import type { Device } from '../../engine/index.js';
import type { Release } from '../../release.js';
import type { Weights } from '../onnx-builder.js';
import { PAIRS, RATINGS, REACH, ROW_SHAPE, ROW_SIZE, rowsModel, windowsModel } from './p835-network.js';
import { alikeFrame, copySamples, FRAME_SAMPLES, HOP, WINDOW_FRAMES, type Windows } from './windows.js';

/** Frames whose rows are computed at once, and windows: they bound the memory to about 60 MB. */
const FRAMES_AT_ONCE = 248;
const WINDOWS_AT_ONCE = 4;
/** A window's first and last rows, which are not those of the frames in the middle of another. */
const EDGE_FRAMES = 2 * REACH;

/**
 * Ratings of windows by the P.835 network: of each window speech, background and overall quality, before their polynomials.
 *
 * The network is convolutions, and windows overlap: what a frame is in one window it is in the next, but for the {@link REACH} frames at a
 * window's ends, beyond which are zeros. So each frame is computed once, and of a recording that is repeated only one round is.
 */
export type RateWindows = (windows: Windows) => Promise<Float32Array[]>;

/** @param opened gets what releases the network */
export async function openP835(weights: Weights, device: Device, opened: Release[]): Promise<RateWindows> {
  const open = async (model: Uint8Array) => {
    const program = await device.load(model);
    opened.push(() => device.unload(program));
    return program;
  };
  const toRows = await open(rowsModel(weights));
  const toRatings = await open(windowsModel(weights));

  /** The rows of `pieces` pieces of as many frames each, which `copy` puts into its target. */
  async function rowsOf(frames: Float32Array, pieces: number): Promise<Float32Array> {
    const shape = [pieces, frames.length / pieces / FRAME_SAMPLES, FRAME_SAMPLES];
    return (await device.run(toRows, { frames: { data: frames, shape } }, {})).rows as Float32Array;
  }

  /** Brings `inner` to the rows of exactly these frames, which are in the middle of windows: those that it has are not computed again. */
  async function keepInner(inner: Rows, windows: Windows, wanted: ReadonlySet<number>): Promise<void> {
    for (const frame of inner.keys()) if (!wanted.has(frame)) inner.delete(frame);
    for (const [from, to] of runsOf([...wanted].filter((frame) => !inner.has(frame)))) {
      const count = to - from;
      const rows = await rowsOf(framesFrom(windows, from - REACH, count + 2 * REACH), 1);
      for (let i = 0; i < count; i++) inner.set(from + i, rowAt(rows, REACH + i));
    }
  }

  /** The rows at the ends of windows that begin at `starts`: of each the first ones, then the last ones. */
  async function edgesOf(windows: Windows, starts: readonly number[]): Promise<Float32Array> {
    const frames = new Float32Array(starts.length * 2 * EDGE_FRAMES * FRAME_SAMPLES);
    starts
      .flatMap((start) => [start, start + WINDOW_FRAMES - EDGE_FRAMES])
      .forEach((frame, piece) => {
        const size = EDGE_FRAMES * FRAME_SAMPLES;
        frames.set(framesFrom(windows, frame, EDGE_FRAMES), piece * size);
      });
    return rowsOf(frames, starts.length * 2);
  }

  /** Ratings of windows, of whose frames `order` says which of the rows they are, window after window. */
  async function rateRows({ rows, order }: WindowRows): Promise<Float32Array> {
    const count = order.length / WINDOW_FRAMES;
    const half = (odd: number) => ({
      data: Int32Array.from({ length: count * PAIRS }, (_, i) => order[2 * i + odd]),
      shape: [count, PAIRS],
    });
    const feeds = {
      rows: { data: rows, shape: [rows.length / ROW_SIZE, ...ROW_SHAPE] },
      first: half(0),
      second: half(1),
    };
    return (await device.run(toRatings, feeds, {})).ratings as Float32Array;
  }

  return async (windows) => {
    const alike = windows.starts.map((start) => alikeFrame(windows, start));
    const ratings = new Map<number, Float32Array>();
    const inner: Rows = new Map();
    for (const starts of chunks([...new Set(alike)], WINDOWS_AT_ONCE)) {
      const middles = starts.map((start) => middleOf(windows, start));
      await keepInner(inner, windows, new Set(middles.flat()));
      const rated = await rateRows(joinRows(middles, inner, await edgesOf(windows, starts)));
      starts.forEach((start, i) => ratings.set(start, rated.slice(i * RATINGS, (i + 1) * RATINGS)));
    }
    return alike.map((start) => ratings.get(start)!);
  };
}

/** Rows by their frames. */
type Rows = Map<number, Float32Array>;

/** The rows of some windows, each once, and for each frame of each window the place of its row. */
interface WindowRows {
  rows: Float32Array;
  order: number[];
}

/** The frames of a window whose rows do not depend on where it ends. */
function middleOf(windows: Windows, start: number): number[] {
  return Array.from({ length: WINDOW_FRAMES - 2 * REACH }, (_, i) => alikeFrame(windows, start + REACH + i));
}

/** @param middles,edges of each window the frames in its middle, which `inner` has, and the rows at its ends */
function joinRows(middles: readonly number[][], inner: Rows, edges: Float32Array): WindowRows {
  const rows = new Float32Array((inner.size + middles.length * 2 * REACH) * ROW_SIZE);
  const places = new Map([...inner.keys()].map((frame, place) => [frame, place]));
  for (const [frame, place] of places) rows.set(inner.get(frame)!, place * ROW_SIZE);
  const order = middles.flatMap((middle, index) => {
    const edge = inner.size + index * 2 * REACH;
    const piece = index * 2 * EDGE_FRAMES;
    for (let i = 0; i < REACH; i++) {
      rows.set(rowAt(edges, piece + i), (edge + i) * ROW_SIZE);
      rows.set(rowAt(edges, piece + EDGE_FRAMES + REACH + i), (edge + REACH + i) * ROW_SIZE);
    }
    const ends = Array.from({ length: 2 * REACH }, (_, i) => edge + i);
    return [...ends.slice(0, REACH), ...middle.map((frame) => places.get(frame)!), ...ends.slice(REACH)];
  });
  return { rows, order };
}

const rowAt = (rows: Float32Array, index: number) => rows.subarray(index * ROW_SIZE, (index + 1) * ROW_SIZE);

/** Overlapping frames [count, 320] from a frame on. */
function framesFrom(windows: Windows, frame: number, count: number): Float32Array {
  const samples = new Float32Array((count + 1) * HOP);
  copySamples(windows, frame, samples);
  const frames = new Float32Array(count * FRAME_SAMPLES);
  for (let i = 0; i < count; i++)
    frames.set(samples.subarray(i * HOP, i * HOP + FRAME_SAMPLES), i * FRAME_SAMPLES);
  return frames;
}

/** Frames that follow each other, as [first, last + 1], at most {@link FRAMES_AT_ONCE} in each. */
function runsOf(frames: number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const frame of frames.sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && last[1] === frame && frame - last[0] < FRAMES_AT_ONCE) last[1]++;
    else runs.push([frame, frame + 1]);
  }
  return runs;
}
