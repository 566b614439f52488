/** Which samples of a recording make up a frame of the spectrogram. */
import { reflectIndex } from '../../audio/stft.js';

export const MEL_BANDS = 48;
export const FFT_SIZE = 4096;
/** Frames of one run of the compiled spectrogram: few enough that its tensors fit in a core's cache. */
export const FRAMES_AT_ONCE = 128;
const HOP_SECONDS = 0.01;
const WINDOW_SECONDS = 0.02;

/** The sample rates that have a window. */
export const SAMPLE_RATES_HZ = { min: 1000, max: FFT_SIZE / WINDOW_SECONDS };

export const windowOf = (sampleRateHz: number): number => Math.trunc(sampleRateHz * WINDOW_SECONDS);
const hopOf = (sampleRateHz: number): number => Math.trunc(sampleRateHz * HOP_SECONDS);

/** Frame t is centred on sample t * hop. */
export function frameCountOf(samples: Float32Array, sampleRateHz: number): number {
  return 1 + Math.floor(samples.length / hopOf(sampleRateHz));
}

/**
 * Which pairs of samples at equal distance from a window's middle, numbered outwards, are transformed together. The sample at the
 * window's very start weighs 0 and is left out, so that both sides have the same.
 *
 * In a window of even size pair i lies i samples from the middle, and since cos(pi i - x) = (-1)^i cos(x) bin FFT_SIZE / 2 - k is bin k
 * but for the sign of odd pairs: where these are kept apart, half of the bins give the other half. Among the even pairs those with odd
 * i / 2 are kept apart too. This is an FFT's decimation in time (Cooley and Tukey 1965) for two steps; a third gains no more time.
 */
export function pairGroups(windowSize: number): number[][] {
  const pairs = Array.from({ length: Math.floor(windowSize / 2) }, (_, i) => i);
  if (windowSize % 2 === 1) return [pairs];
  return [
    pairs.filter((i) => i % 4 === 0),
    pairs.filter((i) => i % 4 === 2),
    pairs.filter((i) => i % 2 === 1),
  ];
}

/** Sums and differences of the samples of each pair: [frames, pairs]. */
export interface FoldedFrames {
  frameCount: number;
  sums: Float32Array;
  differences: Float32Array;
}

/**
 * All frames of recordings of one sample rate, one recording after the other, at most FRAMES_AT_ONCE together; the next ones overwrite
 * those yielded before.
 */
export function* foldedFrames(
  recordings: readonly Float32Array[],
  sampleRateHz: number,
): Generator<FoldedFrames, void> {
  const hop = hopOf(sampleRateHz);
  const windowSize = windowOf(sampleRateHz);
  const pairs = Int32Array.from(pairGroups(windowSize).flat());
  const sums = new Float32Array(FRAMES_AT_ONCE * pairs.length);
  const differences = new Float32Array(FRAMES_AT_ONCE * pairs.length);
  let frameCount = 0;
  const folded = (): FoldedFrames => ({
    frameCount,
    sums: sums.subarray(0, frameCount * pairs.length),
    differences: differences.subarray(0, frameCount * pairs.length),
  });
  for (const samples of recordings) {
    const padded = reflectPadded(samples, Math.ceil(windowSize / 2));
    const frames = frameCountOf(samples, sampleRateHz);
    for (let t = 0; t < frames; t++) {
      foldFrame(padded, t * hop, windowSize, pairs, { sums, differences }, frameCount * pairs.length);
      if (++frameCount === FRAMES_AT_ONCE) {
        yield folded();
        frameCount = 0;
      }
    }
  }
  if (frameCount > 0) yield folded();
}

/** Writes the frame whose window starts at `start` to `at`. */
function foldFrame(
  samples: Float32Array,
  start: number,
  windowSize: number,
  pairs: Int32Array,
  { sums, differences }: Pick<FoldedFrames, 'sums' | 'differences'>,
  at: number,
): void {
  const firstBefore = start + Math.floor(windowSize / 2);
  const firstAfter = start + Math.ceil(windowSize / 2);
  for (let i = 0; i < pairs.length; i++) {
    const before = samples[firstBefore - pairs[i]];
    const after = samples[firstAfter + pairs[i]];
    sums[at + i] = after + before;
    differences[at + i] = after - before;
  }
}

/** The samples with `margin` mirrored ones on each side. */
function reflectPadded(samples: Float32Array, margin: number): Float32Array {
  const padded = new Float32Array(samples.length + 2 * margin);
  padded.set(samples, margin);
  for (let i = 0; i < margin; i++) {
    padded[i] = samples[reflectIndex(i - margin, samples.length)];
    padded[margin + samples.length + i] = samples[reflectIndex(samples.length + i, samples.length)];
  }
  return padded;
}
