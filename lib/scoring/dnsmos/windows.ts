/** The windows of 9.01 s in which DNSMOS hears a recording, and what they have in common. */

export const DNSMOS_RATE_HZ = 16_000;
const WINDOW_SECONDS = 9.01;
export const WINDOW_SAMPLES = 144_160;
/** Samples from one frame of a window to the next, and of a frame. */
export const HOP = 160;
export const FRAME_SAMPLES = 2 * HOP;
export const WINDOW_FRAMES = WINDOW_SAMPLES / HOP - 1;

/**
 * A recording at 16 kHz that goes on from its beginning where it ends, and the windows of it. Frame k, counted from the recording's start, has
 * the samples from 160 k on; each window begins at a frame.
 */
export interface Windows {
  readonly samples: Float32Array;
  /** Each window's first frame. */
  readonly starts: readonly number[];
  /**
   * After how many frames they come again: where a recording of whole hops is repeated. Infinity where none does.
   */
  readonly period: number;
}

/**
 * The windows that the authors' code rates: one second apart, of a recording that is doubled until one fits.
 *
 * @param samples at 16 kHz, at least one
 */
export function authorsWindows(samples: Float32Array): Windows {
  let length = samples.length;
  while (length < WINDOW_SAMPLES) length *= 2;
  const count = Math.trunc(Math.floor(length / DNSMOS_RATE_HZ) - WINDOW_SECONDS) + 1;
  const starts = Array.from({ length: count }, (_, second) => second * DNSMOS_RATE_HZ);
  return windowsAt(
    samples,
    starts.filter((start) => endOf(start) - start === WINDOW_SAMPLES),
  );
}

/** One window, which a shorter recording is repeated to fill; the windows of {@link authorsWindows} for one that is longer. */
export function fewestWindows(samples: Float32Array): Windows {
  return samples.length < WINDOW_SAMPLES ? windowsAt(samples, [0]) : authorsWindows(samples);
}

function windowsAt(samples: Float32Array, starts: readonly number[]): Windows {
  const isRepeated = samples.length < WINDOW_SAMPLES;
  return {
    samples,
    starts: starts.map((start) => start / HOP),
    period: isRepeated && samples.length % HOP === 0 ? samples.length / HOP : Infinity,
  };
}

/** As computed in the authors' code, where rounding makes some windows one sample short; it leaves those out. */
function endOf(start: number): number {
  return Math.trunc((start / DNSMOS_RATE_HZ + WINDOW_SECONDS) * DNSMOS_RATE_HZ);
}

/** A frame by which all that sound alike are known: the same remainder of the period. */
export const alikeFrame = ({ period }: Pick<Windows, 'period'>, frame: number): number =>
  period === Infinity ? frame : frame % period;

/** Fills `target` with the samples from a frame on. */
export function copySamples({ samples }: Windows, frame: number, target: Float32Array): void {
  const { length } = samples;
  let from = (((frame * HOP) % length) + length) % length;
  for (let at = 0; at < target.length; from = 0) {
    const part = samples.subarray(from, from + target.length - at);
    target.set(part, at);
    at += part.length;
  }
}
