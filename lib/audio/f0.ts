import { meanOf } from '../mean.js';
import { createRealFft } from './fft.js';
import { resample } from './resample.js';
import { hannWindow } from './stft.js';

/** Fundamental frequency and voicing, one value a frame. */
export interface F0Track {
  /** Natural logarithm of the fundamental frequency in Hz, per frame; interpolated where unvoiced. */
  logF0: Float32Array;
  /** 1 in voiced frames, else 0. */
  voiced: Uint8Array;
}

const TRACKED_RATE_HZ = 16000;
/** Samples of a step of {@link measureMedianF0Hz}. */
const TEN_MS = 160;
const FRAME = 1024;
/** Lags of 40 to 266 samples: 60 to 400 Hz at 16 kHz. */
const MIN_LAG = 40;
const LAGS = 227;
const LOG_LAGS = Float64Array.from({ length: LAGS }, (_, i) => Math.log2(MIN_LAG + i));
/** Costs of the path, in units of normalized correlation. */
const LONG_LAG_PER_OCTAVE = 0.02;
const COST_OF_LAG = LOG_LAGS.map((lag) => LONG_LAG_PER_OCTAVE * (lag - LOG_LAGS[0]));
const UNVOICED = 0.45;
const VOICING_CHANGE = 0.14;
const JUMP_PER_OCTAVE = 2.5;
const LARGEST_JUMP = 1;
/** ln F0 where a recording has no voiced frame at all. */
const DEFAULT_LOG_F0 = Math.log(130);

/**
 * Fundamental frequency of 16 kHz speech by autocorrelation, each frame divided by the window's own (Boersma 1993), and the
 * cheapest path through the candidates of all frames (Viterbi). Frame t reads samples t*hop to t*hop + 1024.
 */
export function trackF0(samples: Float32Array, hop: number, frames: number): F0Track {
  const correlation = correlate(samples, hop, frames);
  const path = findPath(correlation, frames);
  const voiced = Uint8Array.from(path, (state) => (state < LAGS ? 1 : 0));
  const logF0 = new Float32Array(frames);
  for (let t = 0; t < frames; t++) {
    if (voiced[t])
      logF0[t] = Math.log(
        TRACKED_RATE_HZ / refineLag(correlation.subarray(t * LAGS, (t + 1) * LAGS), path[t]),
      );
  }
  interpolateUnvoiced(logF0, voiced);
  return { logF0, voiced };
}

/** Median fundamental frequency of the voiced 10 ms frames, Hz, whatever the recording's constant offset; undefined where no frame is voiced. */
export function measureMedianF0Hz(samples: Float32Array, sampleRateHz: number): number | undefined {
  const recorded = resample(samples, sampleRateHz, TRACKED_RATE_HZ);
  const offset = meanOf(recorded);
  // Windowed, an offset is a slow wave, which would be heard as a voice in pauses.
  const speech = recorded.map((value) => value - offset);
  const { logF0, voiced } = trackF0(speech, TEN_MS, Math.floor(speech.length / TEN_MS));
  const sorted = logF0.filter((_, frame) => voiced[frame]).sort();
  if (sorted.length === 0) return undefined;
  return Math.exp((sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2);
}

/** Normalized autocorrelation [frames, LAGS], less a small preference for short lags (against octave errors). */
function correlate(samples: Float32Array, hop: number, frames: number): Float32Array {
  const window = hannWindow(FRAME);
  const fft = createRealFft(2 * FRAME);
  const buffer = new Float64Array(2 * FRAME);
  /** Power in the real parts, every second number. */
  const power = new Float64Array(2 * fft.bins);
  const autocorrelation = (): Float64Array => {
    const spectrum = fft.forward(buffer);
    for (let i = 0; i < power.length; i += 2) power[i] = spectrum[i] ** 2 + spectrum[i + 1] ** 2;
    return fft.inverse(power);
  };
  buffer.set(window);
  const ofWindow = autocorrelation();
  const correction = Float64Array.from({ length: LAGS }, (_, i) => ofWindow[0] / ofWindow[MIN_LAG + i]);
  const result = new Float32Array(frames * LAGS);
  for (let t = 0; t < frames; t++) {
    const start = t * hop;
    const read = Math.min(FRAME, Math.max(0, samples.length - start));
    let mean = 0;
    for (let i = 0; i < read; i++) mean += (buffer[i] = samples[start + i] * window[i]) / FRAME;
    buffer.fill(0, read, FRAME);
    for (let i = 0; i < FRAME; i++) buffer[i] -= mean;
    const frame = autocorrelation();
    const energy = frame[0] + 1e-4;
    for (let i = 0; i < LAGS; i++)
      result[t * LAGS + i] = (frame[MIN_LAG + i] / energy) * correction[i] - COST_OF_LAG[i];
  }
  return result;
}

/** One state a frame: an index of a lag, or LAGS for unvoiced. */
function findPath(correlation: Float32Array, frames: number): Int32Array {
  const states = LAGS + 1;
  let cost = new Float64Array(states);
  let next = new Float64Array(states);
  const from = new Int16Array(frames * states);
  const reached = new Float64Array(LAGS);
  const source = new Int16Array(LAGS);
  const reachFrom = (neighbour: number, i: number): void => {
    const over = reached[neighbour] + JUMP_PER_OCTAVE * Math.abs(LOG_LAGS[i] - LOG_LAGS[neighbour]);
    if (over >= reached[i]) return;
    reached[i] = over;
    source[i] = source[neighbour];
  };
  for (let t = 0; t < frames; t++) {
    let cheapest = 0;
    for (let j = 1; j < LAGS; j++) if (cost[j] < cost[cheapest]) cheapest = j;
    // Jumps grow with the distance of lags: the cheapest way to a lag comes from itself, or from where its neighbour's came.
    for (let i = 0; i < LAGS; i++) reached[i] = cost[(source[i] = i)];
    for (let i = 1; i < LAGS; i++) reachFrom(i - 1, i);
    for (let i = LAGS - 2; i >= 0; i--) reachFrom(i + 1, i);
    const farCost = cost[cheapest] + LARGEST_JUMP;
    const onsetCost = cost[LAGS] + VOICING_CHANGE;
    const cheapestElsewhere = Math.min(onsetCost, farCost);
    const stateElsewhere = onsetCost < farCost ? LAGS : cheapest;
    for (let i = 0; i < LAGS; i++) {
      const isNear = reached[i] < cheapestElsewhere;
      next[i] = (isNear ? reached[i] : cheapestElsewhere) - correlation[t * LAGS + i];
      from[t * states + i] = isNear ? source[i] : stateElsewhere;
    }
    const voicedCost = cost[cheapest] + VOICING_CHANGE;
    next[LAGS] = Math.min(voicedCost, cost[LAGS]) - UNVOICED;
    from[t * states + LAGS] = voicedCost < cost[LAGS] ? cheapest : LAGS;
    [cost, next] = [next, cost];
  }
  const path = new Int32Array(frames);
  let state = cost.indexOf(Math.min(...cost));
  for (let t = frames - 1; t >= 0; t--) {
    path[t] = state;
    state = from[t * states + state];
  }
  return path;
}

/** The lag at the top of the parabola through a peak and its neighbours, in samples. */
function refineLag(correlation: Float32Array, index: number): number {
  if (index === 0 || index === LAGS - 1) return MIN_LAG + index;
  const [left, centre, right] = correlation.subarray(index - 1, index + 2);
  const curvature = left - 2 * centre + right;
  const offset = Math.abs(curvature) > 1e-6 ? (0.5 * (left - right)) / curvature : 0;
  return MIN_LAG + index + Math.max(-0.5, Math.min(0.5, offset));
}

/** Straight lines between voiced frames, the nearest value before the first and after the last. */
function interpolateUnvoiced(values: Float32Array, voiced: Uint8Array): void {
  let previous = -1;
  for (let t = 0; t <= values.length; t++) {
    if (t < values.length && !voiced[t]) continue;
    const [left, right] = [values[previous], values[t]];
    for (let gap = previous + 1; gap < t; gap++) {
      const along = (gap - previous) / (t - previous);
      values[gap] =
        left === undefined
          ? (right ?? DEFAULT_LOG_F0)
          : right === undefined
            ? left
            : left + (right - left) * along;
    }
    previous = t;
  }
}
