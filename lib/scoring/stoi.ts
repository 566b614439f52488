import { NOT_FINITE } from '../audio/finite.js';
import { allFinite } from '../finite.js';
import { resampleLikeOctave } from '../audio/resample.js';
import { createRealFft } from '../audio/fft.js';
import { largestOf } from '../largest.js';
import { checkFinite, checkRate, UnscorableSample } from './unscorable.js';

const SAMPLE_RATE_HZ = 10_000;
const FRAME_SIZE = 256;
const HOP_SIZE = FRAME_SIZE / 2;
const FFT_SIZE = 512;
const BANDS = 15;
const LOWEST_BAND_HZ = 150;
const SEGMENT_FRAMES = 30;
const DYNAMIC_RANGE_DB = 40;
/** 1 + 10^(15/20): a signal-to-distortion ratio below -15 dB counts as -15 dB. */
const CLIP_FACTOR = 1 + 10 ** (15 / 20);
const EPSILON = Number.EPSILON;

/** The bins of each third-octave band: from `start` up to, not including, `end`. */
const BAND_BINS = Array.from({ length: BANDS }, (_, band) => {
  const nearestBin = (hz: number) => Math.ceil((hz * FFT_SIZE) / SAMPLE_RATE_HZ - 0.5);
  return {
    start: nearestBin(LOWEST_BAND_HZ * 2 ** ((2 * band - 1) / 6)),
    end: nearestBin(LOWEST_BAND_HZ * 2 ** ((2 * band + 1) / 6)),
  };
});

/** MATLAB's hanning(size): a Hann window without its zeros. */
const WINDOW = Float64Array.from(
  { length: FRAME_SIZE },
  (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 1)) / (FRAME_SIZE + 1)),
);

/**
 * Short-time objective intelligibility of `degraded` with respect to `reference`: about 0 (not intelligible) to 1 (as good as the
 * reference). Both are mono, time-aligned and of one length. Numbers as the Python package pystoi 0.4 gives them.
 *
 * Source: Taal, Hendriks, Heusdens, Jensen, "An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech",
 * IEEE TASLP 2011.
 *
 * @throws UnscorableSample when the lengths differ, a sample is not a finite number, or fewer than 30 frames (0.4 s) are left without the
 *   reference's silent ones
 */
export function stoi(reference: Float32Array, degraded: Float32Array, sampleRateHz: number): number {
  return meanOverSegments(reference, degraded, sampleRateHz, correlation);
}

/**
 * Extended STOI, which also follows modulated maskers; as {@link stoi} otherwise, though it can be somewhat below 0.
 *
 * Source: Jensen, Taal, "An Algorithm for Predicting the Intelligibility of Speech Masked by Modulated Noise Maskers", IEEE TASLP 2016.
 */
export function extendedStoi(reference: Float32Array, degraded: Float32Array, sampleRateHz: number): number {
  return meanOverSegments(reference, degraded, sampleRateHz, spectralCorrelation);
}

/** Magnitudes of 30 frames, [BANDS, SEGMENT_FRAMES], row-major; comparing two of them may overwrite both. */
type Segment = Float64Array;

function meanOverSegments(
  reference: Float32Array,
  degraded: Float32Array,
  sampleRateHz: number,
  compare: (x: Segment, y: Segment) => number,
): number {
  if (reference.length !== degraded.length) {
    throw new UnscorableSample(
      `STOI compares signals of one length; the reference has ${reference.length} samples, the other ${degraded.length}`,
    );
  }
  if (!allFinite(reference)) throw new Error(`the reference cannot be used: ${NOT_FINITE}`);
  checkFinite(degraded);
  checkRate(sampleRateHz, SAMPLE_RATE_HZ);
  const [x, y] = withoutSilence(
    resampleLikeOctave(reference, sampleRateHz, SAMPLE_RATE_HZ),
    resampleLikeOctave(degraded, sampleRateHz, SAMPLE_RATE_HZ),
  ).map(thirdOctaveBands);
  const segmentCount = x[0].length - SEGMENT_FRAMES + 1;
  if (segmentCount < 1)
    throw new UnscorableSample('Too little speech for STOI: at least 0.4 s that are not silent are needed');
  let sum = 0;
  for (let start = 0; start < segmentCount; start++) {
    sum += compare(segmentAt(x, start), segmentAt(y, start));
  }
  return sum / segmentCount;
}

function segmentAt(bands: Float64Array[], start: number): Segment {
  const segment = new Float64Array(BANDS * SEGMENT_FRAMES);
  bands.forEach((band, i) => segment.set(band.subarray(start, start + SEGMENT_FRAMES), i * SEGMENT_FRAMES));
  return segment;
}

/** Both signals without the frames in which the reference is 40 dB or more below its loudest frame, overlapped and added again. */
function withoutSilence(x: Float64Array, y: Float64Array): [Float64Array, Float64Array] {
  const starts = frameStarts(x.length);
  const levels = starts.map((start) => {
    let energy = 0;
    for (let i = 0; i < FRAME_SIZE; i++) energy += (WINDOW[i] * x[start + i]) ** 2;
    return 20 * Math.log10(Math.sqrt(energy) + EPSILON);
  });
  const floor = largestOf(levels) - DYNAMIC_RANGE_DB;
  const kept = starts.filter((_, frame) => levels[frame] > floor);
  return [overlapAdd(x, kept), overlapAdd(y, kept)];
}

function overlapAdd(signal: Float64Array, starts: readonly number[]): Float64Array {
  const out = new Float64Array((starts.length - 1) * HOP_SIZE + FRAME_SIZE);
  starts.forEach((start, frame) => {
    for (let i = 0; i < FRAME_SIZE; i++) out[frame * HOP_SIZE + i] += WINDOW[i] * signal[start + i];
  });
  return out;
}

/** Magnitude of each third-octave band in each frame: [BANDS][frames]. */
function thirdOctaveBands(signal: Float64Array): Float64Array[] {
  const starts = frameStarts(signal.length);
  const bands = BAND_BINS.map(() => new Float64Array(starts.length));
  const fft = createRealFft(FFT_SIZE);
  const frame = new Float64Array(FFT_SIZE);
  starts.forEach((start, t) => {
    for (let i = 0; i < FRAME_SIZE; i++) frame[i] = WINDOW[i] * signal[start + i];
    const spectrum = fft.forward(frame);
    BAND_BINS.forEach((bins, band) => {
      let power = 0;
      for (let k = 2 * bins.start; k < 2 * bins.end; k++) power += spectrum[k] ** 2;
      bands[band][t] = Math.sqrt(power);
    });
  });
  return bands;
}

/** As in the reference implementations, a frame that would end with the signal's last sample is left out. */
function frameStarts(length: number): number[] {
  return Array.from(
    { length: Math.max(0, Math.ceil((length - FRAME_SIZE) / HOP_SIZE)) },
    (_, frame) => frame * HOP_SIZE,
  );
}

/** Taal et al. 2011, equations 3 to 6: the mean correlation of the bands' envelopes, the degraded ones scaled and clipped first. */
function correlation(x: Segment, y: Segment): number {
  for (let band = 0; band < BANDS; band++) {
    const [from, to] = [band * SEGMENT_FRAMES, (band + 1) * SEGMENT_FRAMES];
    const scale = norm(x.subarray(from, to)) / (norm(y.subarray(from, to)) + EPSILON);
    for (let i = from; i < to; i++) y[i] = Math.min(y[i] * scale, x[i] * CLIP_FACTOR);
    standardize(x, from, 1, SEGMENT_FRAMES, EPSILON);
    standardize(y, from, 1, SEGMENT_FRAMES, EPSILON);
  }
  return dot(x, y) / BANDS;
}

/** Jensen and Taal 2016: bands, then frames, to mean 0 and norm 1; the mean correlation of frames' spectra. */
function spectralCorrelation(x: Segment, y: Segment): number {
  for (const segment of [x, y]) {
    for (let band = 0; band < BANDS; band++) standardize(segment, band * SEGMENT_FRAMES, 1, SEGMENT_FRAMES);
    for (let frame = 0; frame < SEGMENT_FRAMES; frame++) standardize(segment, frame, SEGMENT_FRAMES, BANDS);
  }
  return dot(x, y) / SEGMENT_FRAMES;
}

/** Gives `count` values, `stride` apart, mean 0 and norm 1 in place; equal ones become 0. */
function standardize(values: Float64Array, from: number, stride: number, count: number, epsilon = 0): void {
  const to = from + stride * count;
  let sum = 0;
  for (let i = from; i < to; i += stride) sum += values[i];
  let energy = 0;
  for (let i = from; i < to; i += stride) {
    values[i] -= sum / count;
    energy += values[i] ** 2;
  }
  const size = Math.sqrt(energy) + epsilon;
  for (let i = from; i < to; i += stride) values[i] = size === 0 ? 0 : values[i] / size;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function norm(vector: Float64Array): number {
  return Math.sqrt(dot(vector, vector));
}
