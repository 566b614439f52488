/**
 * Features and network of a batch of recordings. `stream` runs it beside the device, so that only samples and scores go
 * from thread to thread and the caller's stays free.
 */
import type { MonoRecording } from '../../audio/wav.js';
import type { DeviceThread } from '../../engine/index.js';
import { extractFeatures, type NisqaFeatures } from './features.js';
import { MEL_BANDS } from './frames.js';

/** Plain data: what the loop runs on. */
export interface ScoreLoop {
  /** Of `nisqaModel`. */
  network: number;
  /** Which of its inputs says where recordings end. */
  ends: 'mask' | 'lengths';
  segmentHopFrames: number;
  /** Of `compileMel`, by sample rate. */
  melSessions: ReadonlyMap<number, number>;
  /** That `segmentCountOf` accepts. */
  recordings: readonly MonoRecording[];
}

/** Added to the attention of padding; exp of it is 0. */
const MASKED = -1e30;

/** What `Device.stream` runs. Yields the scores once: [recordings, heads]. */
export async function* stream(
  thread: DeviceThread,
  { network, ends, segmentHopFrames, melSessions, recordings }: ScoreLoop,
): AsyncGenerator<Float32Array> {
  const features = await extractFeatures(thread, melSessions, recordings, segmentHopFrames);
  const { mask, lengths, ...others } = feeds(features);
  const inputs = { ...others, ...(ends === 'mask' ? { mask } : { lengths }) };
  const { scores } = await thread.run(network, inputs, {});
  yield scores as Float32Array;
}

/** The network's inputs for some recordings: their spectrograms in a row, and which segments of them belong together. */
function feeds(batch: readonly NisqaFeatures[]) {
  const frameCount = batch.reduce((sum, { decibels }) => sum + decibels.length / MEL_BANDS, 0);
  const segmentCount = batch.reduce((sum, { segmentStarts }) => sum + segmentStarts.length, 0);
  const longest = Math.max(...batch.map(({ segmentStarts }) => segmentStarts.length));
  const decibels = new Float32Array(frameCount * MEL_BANDS);
  const starts = new Int32Array(segmentCount);
  const segments = new Int32Array(batch.length * longest);
  const mask = new Float32Array(batch.length * longest).fill(MASKED);
  let frame = 0;
  let segment = 0;
  batch.forEach((features, row) => {
    decibels.set(features.decibels, frame * MEL_BANDS);
    features.segmentStarts.forEach((start, i) => {
      starts[segment] = frame + start;
      segments[row * longest + i] = segment;
      mask[row * longest + i] = 0;
      segment++;
    });
    frame += features.decibels.length / MEL_BANDS;
  });
  return {
    decibels: { data: decibels, shape: [frameCount, MEL_BANDS] },
    starts: { data: starts, shape: [segmentCount] },
    segments: { data: segments, shape: [batch.length, longest] },
    mask: { data: mask, shape: [batch.length, 1, longest] },
    lengths: {
      data: Int32Array.from(batch, ({ segmentStarts }) => segmentStarts.length),
      shape: [batch.length],
    },
  };
}
