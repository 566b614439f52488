import { melFilterBank } from '../../audio/mel.js';
import { hannWindow, reflectIndex } from '../../audio/stft.js';
import { compile, tf, type Compiled, type EngineHost } from '../../engine/index.js';

export const MEL_BANDS = 48;
/** Frames of one segment, what the network's first part looks at. */
export const SEGMENT_FRAMES = 15;
const SEGMENT_HOP_FRAMES = 4;
/** The authors' `ms_max_segments` for long files: 120 s. */
const MAX_SEGMENTS = 3000;

const FFT_SIZE = 4096;
const HOP_SECONDS = 0.01;
const WINDOW_SECONDS = 0.02;
const MAX_MEL_HZ = 20_000;
const MIN_POWER = 1e-8;
const DECIBELS_PER_NEPER = 10 / Math.LN10;
const DYNAMIC_RANGE_DB = 80;
/** Frames of one run of the compiled spectrogram. */
const FRAMES_AT_ONCE = 256;
const SAMPLE_RATES_HZ = { min: 1000, max: FFT_SIZE / WINDOW_SECONDS };

/** A mono recording, samples in [-1, 1]. */
export interface NisqaInput {
  samples: Float32Array;
  sampleRateHz: number;
}

/** What NISQA's network sees of a recording. */
export interface NisqaFeatures {
  /** [frames, MEL_BANDS] in dB, row-major. */
  decibels: Float32Array;
  /** The first frame of each segment. */
  segmentStarts: Int32Array;
}

/** Computes features in the engine, of which one program for each sample rate is compiled and kept until `dispose`. */
export interface NisqaFeatureExtractor {
  /** Of recordings that {@link segmentCountOf} accepts. */
  extract(recordings: readonly NisqaInput[]): Promise<NisqaFeatures[]>;
  dispose(): Promise<void>;
}

/**
 * How many segments the network sees of a recording.
 *
 * @throws Error when the recording is empty, shorter than 0.14 s, longer than 120 s, or holds a value that is not a number, or its
 * sample rate is one that no window fits
 */
export function segmentCountOf({ samples, sampleRateHz }: NisqaInput): number {
  if (!(sampleRateHz >= SAMPLE_RATES_HZ.min && sampleRateHz <= SAMPLE_RATES_HZ.max)) {
    throw new Error(
      `NISQA takes sample rates from ${SAMPLE_RATES_HZ.min} to ${SAMPLE_RATES_HZ.max} Hz, not ${sampleRateHz}`,
    );
  }
  if (samples.length === 0) throw new Error('it holds no samples');
  if (!samples.every(Number.isFinite)) throw new Error('it holds a sample that is not a finite number');
  const segmentCount = segmentsIn(frameCountOf({ samples, sampleRateHz }));
  const seconds = (samples.length / sampleRateHz).toFixed(4);
  if (segmentCount < 1)
    throw new Error(`it is too short for NISQA: ${seconds} s; at least 0.14 s are needed`);
  if (segmentCount > MAX_SEGMENTS)
    throw new Error(`it is too long for NISQA: ${seconds} s; at most 120 s are possible`);
  return segmentCount;
}

/**
 * The mel spectrogram of mono recordings at their own sample rates, as NISQA v2.0 computes it: 20 ms Hann windows every 10 ms, a
 * 4096-point transform, 48 Slaney mels up to 20 kHz (empty above half the sample rate), in dB and at most 80 dB below the recording's
 * loudest value.
 *
 * Source: Mittag et al., "NISQA: A Deep CNN-Self-Attention Model for Multidimensional Speech Quality Prediction", Interspeech 2021,
 * and its published code.
 */
export function openNisqaFeatures(host: EngineHost): NisqaFeatureExtractor {
  const programs = new Map<number, Promise<Compiled>>();
  const programOf = (sampleRateHz: number): Promise<Compiled> => {
    if (!programs.has(sampleRateHz)) programs.set(sampleRateHz, compileMel(sampleRateHz, host));
    return programs.get(sampleRateHz)!;
  };
  return {
    async extract(recordings) {
      const features = new Array<NisqaFeatures>(recordings.length);
      for (const sampleRateHz of new Set(recordings.map((recording) => recording.sampleRateHz))) {
        const indices = [...recordings.keys()].filter((i) => recordings[i].sampleRateHz === sampleRateHz);
        const together = indices.map((i) => recordings[i]);
        const spectrograms = await melDecibels(together, await programOf(sampleRateHz));
        indices.forEach((index, i) => {
          features[index] = {
            decibels: limitRange(spectrograms[i]),
            segmentStarts: Int32Array.from(
              { length: segmentsIn(frameCountOf(recordings[index])) },
              (_, segment) => segment * SEGMENT_HOP_FRAMES,
            ),
          };
        });
      }
      return features;
    },
    async dispose() {
      for (const program of programs.values()) await (await program).dispose();
      programs.clear();
    },
  };
}

const hopOf = (sampleRateHz: number): number => Math.trunc(sampleRateHz * HOP_SECONDS);
const windowOf = (sampleRateHz: number): number => Math.trunc(sampleRateHz * WINDOW_SECONDS);

const segmentsIn = (frames: number): number => Math.ceil((frames - SEGMENT_FRAMES + 1) / SEGMENT_HOP_FRAMES);

/** Frame t is centred on sample t * hop. */
function frameCountOf({ samples, sampleRateHz }: NisqaInput): number {
  return 1 + Math.floor(samples.length / hopOf(sampleRateHz));
}

/**
 * Distances from a window's middle to its samples, from the middle outwards: whole ones for a window of even size, halves for an odd
 * one. The sample at the window's very start weighs 0 and is left out, so that both sides have the same.
 */
function offsetsOf(sampleRateHz: number): number[] {
  const size = windowOf(sampleRateHz);
  return Array.from({ length: Math.floor(size / 2) }, (_, i) => i + (size % 2) / 2);
}

/**
 * Frames to mel decibels. The window is symmetric: with the sums of samples at equal distance from its middle the real part of a
 * spectrum centred there is a sum of cosines, with their differences the imaginary part one of sines.
 *
 * Inputs: sums, differences [FRAMES_AT_ONCE, offsets]; output: decibels [FRAMES_AT_ONCE, MEL_BANDS].
 */
function compileMel(sampleRateHz: number, host: EngineHost): Promise<Compiled> {
  const offsets = offsetsOf(sampleRateHz);
  const size = windowOf(sampleRateHz);
  const window = hannWindow(2 * size);
  const bands = melFilterBank({ sampleRateHz, fftSize: FFT_SIZE, bands: MEL_BANDS, maxHz: MAX_MEL_HZ });
  // Bands above half the sample rate are empty.
  const bins = Math.max(
    ...bands.map(({ firstBin, weights }) => (weights.length > 0 ? firstBin + weights.length : 0)),
  );
  const basis = (wave: (angle: number) => number) => {
    const data = new Float32Array(offsets.length * bins);
    offsets.forEach((offset, row) => {
      // The middle sample is its own counterpart.
      const weight = window[size + 2 * offset] * (offset === 0 ? 0.5 : 1);
      for (let bin = 0; bin < bins; bin++) {
        data[row * bins + bin] = weight * wave((2 * Math.PI * ((offset * bin) % FFT_SIZE)) / FFT_SIZE);
      }
    });
    return { shape: [offsets.length, bins], data };
  };
  const filters = new Float32Array(bins * MEL_BANDS);
  bands.forEach(({ firstBin, weights }, band) => {
    weights.forEach((weight, i) => (filters[(firstBin + i) * MEL_BANDS + band] = weight));
  });
  const frames = { shape: [FRAMES_AT_ONCE, offsets.length], dtype: 'float32' } as const;
  return compile(
    (w) => {
      const real = tf.matMul(w.sums, w.cosines);
      const imaginary = tf.matMul(w.differences, w.sines);
      const magnitudes = tf.sqrt(tf.add(tf.square(real), tf.square(imaginary)));
      const power = tf.maximum(tf.square(tf.matMul(magnitudes, w.filters)), MIN_POWER);
      return { decibels: tf.mul(tf.log(power), DECIBELS_PER_NEPER) };
    },
    { sums: frames, differences: frames },
    {
      host,
      constants: {
        cosines: basis(Math.cos),
        sines: basis(Math.sin),
        filters: { shape: [bins, MEL_BANDS], data: filters },
      },
    },
  );
}

/** Spectrograms [frames, MEL_BANDS] of recordings of one sample rate, whose frames are computed one after the other. */
async function melDecibels(recordings: readonly NisqaInput[], program: Compiled): Promise<Float32Array[]> {
  const [{ sampleRateHz }] = recordings;
  const hop = hopOf(sampleRateHz);
  const width = offsetsOf(sampleRateHz).length;
  const total = recordings.reduce((sum, recording) => sum + frameCountOf(recording), 0);
  const decibels = new Float32Array(Math.ceil(total / FRAMES_AT_ONCE) * FRAMES_AT_ONCE * MEL_BANDS);
  const runs: Promise<void>[] = [];
  const emptyFrames = () => new Float32Array(FRAMES_AT_ONCE * width);
  let feeds = { sums: emptyFrames(), differences: emptyFrames() };
  let row = 0;
  const run = (): void => {
    const at = runs.length * FRAMES_AT_ONCE * MEL_BANDS;
    runs.push(
      program(feeds).then((results) => {
        decibels.set(results.decibels, at);
      }),
    );
    feeds = { sums: emptyFrames(), differences: emptyFrames() };
    row = 0;
  };
  for (const recording of recordings) {
    const padded = reflectPadded(recording.samples, Math.ceil(windowOf(sampleRateHz) / 2));
    for (let t = 0; t < frameCountOf(recording); t++) {
      foldFrame(padded, t * hop, windowOf(sampleRateHz), feeds, row * width);
      if (++row === FRAMES_AT_ONCE) run();
    }
  }
  if (row > 0) run();
  await Promise.all(runs);
  let start = 0;
  return recordings.map((recording) => {
    const end = start + frameCountOf(recording) * MEL_BANDS;
    const spectrogram = decibels.subarray(start, end);
    start = end;
    return spectrogram;
  });
}

/** Sums and differences of the samples at equal distance from a frame's middle; `start` is where its window starts. */
function foldFrame(
  samples: Float32Array,
  start: number,
  size: number,
  { sums, differences }: Record<'sums' | 'differences', Float32Array>,
  at: number,
): void {
  const half = Math.floor(size / 2);
  for (let i = 0; i < half; i++) {
    const before = samples[start + half - i];
    const after = samples[start + size - half + i];
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

/** Raises what is more than 80 dB below the loudest value. */
function limitRange(decibels: Float32Array): Float32Array {
  let loudest = -Infinity;
  for (const value of decibels) loudest = Math.max(loudest, value);
  return decibels.map((value) => Math.max(value, loudest - DYNAMIC_RANGE_DB));
}
