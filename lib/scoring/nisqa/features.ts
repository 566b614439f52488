import type { MonoRecording } from '../../audio/wav.js';
import type { DeviceThread } from '../../engine/index.js';
import { checkFinite, UnscorableSample } from '../unscorable.js';
import { foldedFrames, frameCountOf, MEL_BANDS, SAMPLE_RATES_HZ } from './frames.js';

/** Frames of one segment, what the network's first part looks at. */
export const SEGMENT_FRAMES = 15;
/** The authors' `ms_max_segments` for long files. */
const MAX_SEGMENTS = 3000;
const FRAMES_A_SECOND = 100;
const DYNAMIC_RANGE_DB = 80;

/** How a network's features differ from those of the others. */
export interface Framing {
  /** From one segment's first frame to the next one's. */
  segmentHopFrames: number;
  /** The upper end of the highest mel band. */
  maxMelHz: number;
}

/** NISQA v2.0's: at most 120 s are 3000 segments. */
export const NISQA_FRAMING: Framing = { segmentHopFrames: 4, maxMelHz: 20_000 };

/** What NISQA's network sees of a recording. */
export interface NisqaFeatures {
  /** [frames, MEL_BANDS] in dB, row-major. */
  decibels: Float32Array;
  /** The first frame of each segment. */
  segmentStarts: Int32Array;
}

/**
 * How many segments the network sees of a recording.
 *
 * @throws UnscorableSample when the recording is empty, shorter than 0.14 s, of more than 3000 segments (120 s where they are four frames
 * apart, 30 s where they are one), or holds a value that is not a number, or its sample rate is one that no window fits
 */
export function segmentCountOf(
  { samples, sampleRateHz }: MonoRecording,
  { segmentHopFrames }: Framing = NISQA_FRAMING,
): number {
  if (!(sampleRateHz >= SAMPLE_RATES_HZ.min && sampleRateHz <= SAMPLE_RATES_HZ.max)) {
    throw new UnscorableSample(
      `NISQA takes sample rates from ${SAMPLE_RATES_HZ.min} to ${SAMPLE_RATES_HZ.max} Hz, not ${sampleRateHz}`,
    );
  }
  if (samples.length === 0) throw new UnscorableSample('it holds no samples');
  checkFinite(samples);
  const segmentCount = segmentsIn(frameCountOf(samples, sampleRateHz), segmentHopFrames);
  const seconds = (samples.length / sampleRateHz).toFixed(4);
  if (segmentCount < 1)
    throw new UnscorableSample(`it is too short for NISQA: ${seconds} s; at least 0.14 s are needed`);
  if (segmentCount > MAX_SEGMENTS) {
    const most = (MAX_SEGMENTS * segmentHopFrames) / FRAMES_A_SECOND;
    throw new UnscorableSample(`it is too long for NISQA: ${seconds} s; at most ${most} s are possible`);
  }
  return segmentCount;
}

/**
 * The mel spectrogram of mono recordings at their own sample rates, as NISQA v2.0 computes it: 20 ms Hann windows every 10 ms, a
 * 4096-point transform, 48 Slaney mels up to 20 or 8 kHz (empty above half the sample rate), in dB and at most 80 dB below the recording's
 * loudest value.
 *
 * Source: Mittag et al., "NISQA: A Deep CNN-Self-Attention Model for Multidimensional Speech Quality Prediction", Interspeech 2021,
 * and its published code.
 *
 * @param melSessions of `compileMel`, by sample rate
 * @param recordings that {@link segmentCountOf} accepts
 */
export async function extractFeatures(
  thread: DeviceThread,
  melSessions: ReadonlyMap<number, number>,
  recordings: readonly MonoRecording[],
  segmentHopFrames = NISQA_FRAMING.segmentHopFrames,
): Promise<NisqaFeatures[]> {
  const features = new Array<NisqaFeatures>(recordings.length);
  for (const [sampleRateHz, session] of melSessions) {
    const indices = [...recordings.keys()].filter((i) => recordings[i].sampleRateHz === sampleRateHz);
    const together = indices.map((i) => recordings[i].samples);
    const decibels = await melDecibels(thread, session, together, sampleRateHz);
    let start = 0;
    for (const index of indices) {
      const frameCount = frameCountOf(recordings[index].samples, sampleRateHz);
      const end = start + frameCount * MEL_BANDS;
      features[index] = {
        decibels: limitRange(decibels.subarray(start, end)),
        segmentStarts: Int32Array.from(
          { length: segmentsIn(frameCount, segmentHopFrames) },
          (_, segment) => segment * segmentHopFrames,
        ),
      };
      start = end;
    }
  }
  return features;
}

const segmentsIn = (frames: number, hopFrames: number): number =>
  Math.ceil((frames - SEGMENT_FRAMES + 1) / hopFrames);

/** The frames of all recordings in a row: [frames, MEL_BANDS] in dB. */
async function melDecibels(
  device: DeviceThread,
  session: number,
  recordings: readonly Float32Array[],
  sampleRateHz: number,
): Promise<Float32Array> {
  const frameCount = recordings.reduce((sum, samples) => sum + frameCountOf(samples, sampleRateHz), 0);
  const decibels = new Float32Array(frameCount * MEL_BANDS);
  let at = 0;
  for (const { frameCount: rows, sums, differences } of foldedFrames(recordings, sampleRateHz)) {
    const shape = [rows, sums.length / rows];
    const feeds = { sums: { data: sums, shape }, differences: { data: differences, shape } };
    const results = await device.run(session, feeds, {});
    decibels.set(results.decibels, at);
    at += results.decibels.length;
  }
  return decibels;
}

/** Raises, in place, what is more than 80 dB below the loudest value. */
function limitRange(decibels: Float32Array): Float32Array {
  let loudest = -Infinity;
  for (let i = 0; i < decibels.length; i++) loudest = Math.max(loudest, decibels[i]);
  const floor = loudest - DYNAMIC_RANGE_DB;
  for (let i = 0; i < decibels.length; i++) decibels[i] = Math.max(decibels[i], floor);
  return decibels;
}
