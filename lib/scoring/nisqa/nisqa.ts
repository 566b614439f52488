import { availableParallelism } from 'node:os';
import { readWav, toMono, type MonoRecording } from '../../audio/wav.js';
import { readGivenFile } from '../../checkpoint/given-file.js';
import { compiledModule, CpuDevice, defaultThreads, keepPrograms, type Device } from '../../engine/index.js';
import type { OnNotice } from '../../notice.js';
import { openAtOnce, openParts, releaseAll, type Release } from '../../release.js';
import { UnscorableSample } from '../unscorable.js';
import { findWeights, nameWeights } from '../weights-path.js';
import type { Weights } from '../onnx-builder.js';
import { segmentCountOf, type Framing } from './features.js';
import { compileMel } from './mel-program.js';
import { DIMENSIONS, nisqaModel } from './network.js';
import { NISQA, NISQA_MOS_ONLY, NISQA_TTS, type NisqaNetwork } from './published.js';
import type { ScoreLoop } from './score-loop.js';
import { parseNisqaWeights } from './weights.js';

/** Speech quality as listeners would rate it, from about 1 (bad) to 5 (excellent); not clamped. */
export interface NisqaScores {
  /** Overall quality. */
  mos: number;
  /** Freedom from noise. */
  noi: number;
  /** Freedom from interruptions. */
  dis: number;
  /** Freedom from colouring of the sound. */
  col: number;
  /** Suitable loudness. */
  loud: number;
}

/** One score, as listeners would rate it, from about 1 (bad) to 5 (excellent); not clamped. */
export type NisqaScore = Pick<NisqaScores, 'mos'>;

/** NISQA, ready to score. */
export interface Nisqa<Scores = NisqaScores> {
  /**
   * Scores one mono recording of 0.14 to 120 s (for synthesized speech 30 s) at its own sample rate.
   * @throws UnscorableSample when it is shorter, longer, or holds values that are not numbers
   */
  score(samples: Float32Array, sampleRateHz: number): Promise<Scores>;
  /** Scores many recordings, several in each run of the network; an UnscorableSample in the place of each that cannot be scored. */
  scoreBatch(recordings: readonly MonoRecording[]): Promise<(Scores | UnscorableSample)[]>;
  /** Scores a WAV file, its channels averaged; errors name the file. */
  scoreFile(path: string): Promise<Scores>;
  /** Frees the network, and the devices that were opened for it. */
  dispose(): Promise<void>;
}

/** Segments, padding included, in one run of the network: bounds its memory to about 12 MB, and lets all workers end together. */
const MAX_BATCH_SEGMENTS = 128;
/** Batches a worker has at once, so that it never waits for the next one's samples. */
const BATCHES_A_WORKER = 2;
/**
 * Sample rates, the first that a worker meets, whose programs it keeps. That of another rate is compiled for the call that has it and freed
 * after it: a program must stay as long as a call runs it, and calls run side by side.
 */
const MOST_RATES = 32;

/** How a network of NISQA is loaded. */
export interface NisqaOptions {
  /**
   * Runs the network; default: CPU devices of one thread each, as many as the engine has threads, between which batches are divided: its
   * operators are too small to be divided themselves.
   */
  device?: Device;
  /** Is told of a download, with the licence. */
  onNotice?: OnNotice;
}

/**
 * Loads NISQA v2.0, which predicts how listeners would rate the quality of speech.
 *
 * @param weightsPath the authors' nisqa.tar; default: the environment's NISQA_WEIGHTS, then the user's cache, into which it is
 * downloaded from the authors' repository (or the folder at the URL in NISQA_MIRROR) where it is missing
 * @throws Error when the weights are not found (saying how to provide them) or are not NISQA v2.0's
 */
export function loadNisqa(weightsPath?: string, options: NisqaOptions = {}): Promise<Nisqa> {
  return loadNetwork<NisqaScores>(NISQA, DIMENSIONS, weightsPath, options);
}

/**
 * Loads NISQA's network that was trained on overall quality alone.
 *
 * @param weightsPath the authors' nisqa_mos_only.tar; default: as of {@link loadNisqa}, from NISQA_MOS_ONLY_WEIGHTS
 * @throws Error as loadNisqa
 */
export function loadNisqaMosOnly(
  weightsPath?: string,
  options: NisqaOptions = {},
): Promise<Nisqa<NisqaScore>> {
  return loadNetwork<NisqaScore>(NISQA_MOS_ONLY, ['mos'], weightsPath, options);
}

/**
 * Loads NISQA-TTS, which predicts how natural listeners would find synthesized speech.
 *
 * Source: Mittag, Möller, "Deep Learning Based Assessment of Synthetic Speech Naturalness", Interspeech 2020, and its published code.
 *
 * @param weightsPath the authors' nisqa_tts.tar; default: as of {@link loadNisqa}, from NISQA_TTS_WEIGHTS
 * @throws Error as loadNisqa
 */
export function loadNisqaTts(weightsPath?: string, options: NisqaOptions = {}): Promise<Nisqa<NisqaScore>> {
  return loadNetwork<NisqaScore>(NISQA_TTS, ['mos'], weightsPath, options);
}

async function loadNetwork<Scores extends NisqaScore>(
  network: NisqaNetwork,
  dimensions: readonly (keyof Scores)[],
  weightsPath: string | undefined,
  { device, onNotice }: NisqaOptions,
): Promise<Nisqa<Scores>> {
  const path = await findWeights(network.place, weightsPath, onNotice);
  const name = nameWeights(network.place, path, weightsPath);
  const weights = parseNisqaWeights(await readGivenFile(path, name), name, network);
  const named = (values: Float32Array) =>
    Object.fromEntries(dimensions.map((dimension, i) => [dimension, values[i]])) as unknown as Scores;
  return openParts((opened) => openWorkers(weights, network, named, device, opened));
}

async function openWorkers<Scores>(
  weights: Weights,
  network: NisqaNetwork,
  named: (values: Float32Array) => Scores,
  device: Device | undefined,
  opened: Release[],
): Promise<Nisqa<Scores>> {
  const devices = device ? [device] : Array.from({ length: workerCount() }, () => new CpuDevice(1));
  if (!device) for (const each of devices) opened.push(() => each.close());
  const opening = devices.map((each) => openWorker(nisqaModel(weights, network.shape), network, each));
  const workers = await openAtOnce(opening, (worker) => worker.dispose());
  for (const worker of workers) opened.push(() => worker.dispose());

  const score = async (samples: Float32Array, sampleRateHz: number) => {
    const recording = { samples, sampleRateHz };
    segmentCountOf(recording, network.framing);
    const [scores] = await workers[0].score([recording]);
    return named(scores);
  };

  return {
    score,
    async scoreBatch(recordings) {
      const results = new Array<Scores | UnscorableSample>(recordings.length);
      const waiting = batches(recordings, network.framing, (index, error) => (results[index] = error));
      const work = async ({ score }: NisqaWorker) => {
        // Each worker takes the next batch as soon as it is free.
        for (const batch of waiting) {
          const scores = await score(batch.map((index) => recordings[index]));
          batch.forEach((index, i) => (results[index] = named(scores[i])));
        }
      };
      await Promise.all(
        workers.flatMap((worker) => Array.from({ length: BATCHES_A_WORKER }, () => work(worker))),
      );
      return results;
    },
    async scoreFile(path) {
      const recording = await readWav(path);
      try {
        return await score(toMono(recording), recording.sampleRateHz);
      } catch (error) {
        throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
      }
    },
    dispose: () => releaseAll(opened),
  };
}

/** More workers than cores would only take memory. */
const workerCount = (): number => Math.min(defaultThreads(), availableParallelism());

/** Features and network on one device. */
interface NisqaWorker {
  /** Of recordings that {@link segmentCountOf} accepts; the scores of each. */
  score(recordings: readonly MonoRecording[]): Promise<Float32Array[]>;
  dispose(): Promise<void>;
}

async function openWorker(
  model: Uint8Array<ArrayBuffer>,
  { framing, shape }: NisqaNetwork,
  device: Device,
): Promise<NisqaWorker> {
  const network = await device.load(model);
  const ends = shape.sequence === 'lstm' ? 'lengths' : 'mask';
  const count = shape.heads.length;
  const melPrograms = keepPrograms(MOST_RATES);
  const keptRates = new Set<number>();
  return {
    async score(recordings) {
      const passingPrograms = keepPrograms(Infinity);
      try {
        const melSessions = new Map<number, number>();
        for (const { sampleRateHz } of recordings) {
          if (keptRates.size < MOST_RATES) keptRates.add(sampleRateHz);
          const programs = keptRates.has(sampleRateHz) ? melPrograms : passingPrograms;
          const compileIt = () => compileMel(sampleRateHz, device, framing.maxMelHz);
          melSessions.set(sampleRateHz, (await programs.get(String(sampleRateHz), compileIt)).handle!);
        }
        const { segmentHopFrames } = framing;
        const loop: ScoreLoop = { network, ends, segmentHopFrames, melSessions, recordings };
        const scores: Float32Array[] = [];
        for await (const values of device.stream<Float32Array>(
          compiledModule('./score-loop.js', import.meta.url),
          loop,
        ))
          for (let at = 0; at < values.length; at += count) scores.push(values.subarray(at, at + count));
        return scores;
      } finally {
        await passingPrograms.release();
      }
    },
    dispose: () => releaseAll([() => device.unload(network), () => melPrograms.release()]),
  };
}

/** Indices of recordings for one run each, in order; those that cannot be scored go to `onError`. */
function* batches(
  recordings: readonly MonoRecording[],
  framing: Framing,
  onError: (index: number, error: UnscorableSample) => void,
): Generator<number[]> {
  let batch: number[] = [];
  let longest = 0;
  for (const [index, recording] of recordings.entries()) {
    let segments: number;
    try {
      segments = segmentCountOf(recording, framing);
    } catch (error) {
      if (!(error instanceof UnscorableSample)) throw error;
      onError(index, error);
      continue;
    }
    longest = Math.max(longest, segments);
    if (batch.length > 0 && longest * (batch.length + 1) > MAX_BATCH_SEGMENTS) {
      yield batch;
      batch = [];
      longest = segments;
    }
    batch.push(index);
  }
  if (batch.length > 0) yield batch;
}
