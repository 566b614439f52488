import { availableParallelism } from 'node:os';
import { readWav, toMono, type MonoRecording } from '../../audio/wav.js';
import { downloadFile } from '../../checkpoint/download.js';
import { readGivenFile } from '../../checkpoint/given-file.js';
import { compiledModule, CpuDevice, defaultThreads, keepPrograms, type Device } from '../../engine/index.js';
import type { OnNotice } from '../../notice.js';
import { openAtOnce, openParts, releaseAll, type Release } from '../../release.js';
import { UnscorableSample } from '../unscorable.js';
import { findWeights, nameWeights, type WeightsPlace } from '../weights-path.js';
import { segmentCountOf } from './features.js';
import { compileMel } from './mel-program.js';
import { DIMENSIONS, nisqaModel } from './network.js';
import type { ScoreLoop } from './score-loop.js';
import { parseNisqaWeights, type Weights } from './weights.js';

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

/** NISQA, ready to score. */
export interface Nisqa {
  /**
   * Scores one mono recording of 0.14 to 120 s at its own sample rate.
   * @throws UnscorableSample when it is shorter, longer, or holds values that are not numbers
   */
  score(samples: Float32Array, sampleRateHz: number): Promise<NisqaScores>;
  /** Scores many recordings, several in each run of the network; an UnscorableSample in the place of each that cannot be scored. */
  scoreBatch(recordings: readonly MonoRecording[]): Promise<(NisqaScores | UnscorableSample)[]>;
  /** Scores a WAV file, its channels averaged; errors name the file. */
  scoreFile(path: string): Promise<NisqaScores>;
  /** Frees the network, and the devices that were opened for it. */
  dispose(): Promise<void>;
}

/** The commit of the authors' repository that the reference scores were computed with. */
const AUTHORS =
  'https://raw.githubusercontent.com/gabrielmittag/NISQA/fe84f0f252abec382b24367d5b22498a7ce34dbb/weights';
const WEIGHTS_SHA256 = '7ec4cf937514dd3f8860b21e66fabd8ca87a168572675ef8d979c4c4ad2e805c';

/** Where NISQA's weights belong. */
export const NISQA_PLACE: WeightsPlace = {
  metric: 'NISQA',
  variable: 'NISQA_WEIGHTS',
  cached: 'nisqa.tar',
  kind: 'file',
  source: 'nisqa.tar (from the weights folder of github.com/gabrielmittag/NISQA)',
  licence:
    'Licence: CC BY-NC-SA 4.0 (https://creativecommons.org/licenses/by-nc-sa/4.0), not for commercial purposes; by Gabriel Mittag et al., TU Berlin.',
  download: (path) =>
    downloadFile(`${process.env.NISQA_MIRROR || AUTHORS}/nisqa.tar`, path, { sha256: WEIGHTS_SHA256 }),
};

/** Segments, padding included, in one run of the network: bounds its memory to about 12 MB, and lets all workers end together. */
const MAX_BATCH_SEGMENTS = 128;
/** Batches a worker has at once, so that it never waits for the next one's samples. */
const BATCHES_A_WORKER = 2;
/**
 * Sample rates, the first that a worker meets, whose programs it keeps. That of another rate is compiled for the call that has it and freed
 * after it: a program must stay as long as a call runs it, and calls run side by side.
 */
const MOST_RATES = 32;

/** The path of NISQA's weights, downloaded where they are missing; see {@link loadNisqa}. */
export function findNisqaWeights(weightsPath?: string, onNotice?: OnNotice): Promise<string> {
  return findWeights(NISQA_PLACE, weightsPath, onNotice);
}

/**
 * Loads NISQA v2.0, which predicts how listeners would rate the quality of speech.
 *
 * @param weightsPath the authors' nisqa.tar; default: the environment's NISQA_WEIGHTS, then the user's cache, into which it is
 * downloaded from the authors' repository (or the folder at the URL in NISQA_MIRROR) where it is missing
 * @param options.device runs the network; default: CPU devices of one thread each, as many as the engine has threads, between which batches are divided:
 * its operators are too small to be divided themselves
 * @param options.onNotice is told of a download, with the licence
 * @throws Error when the weights are not found (saying how to provide them) or are not NISQA v2.0's
 */
export async function loadNisqa(
  weightsPath?: string,
  options: { device?: Device; onNotice?: OnNotice } = {},
): Promise<Nisqa> {
  const { device, onNotice } = options;
  const path = await findNisqaWeights(weightsPath, onNotice);
  const name = nameWeights(NISQA_PLACE, path, weightsPath);
  const weights = parseNisqaWeights(await readGivenFile(path, name), name);
  return openParts((opened) => openWorkers(weights, device, opened));
}

async function openWorkers(weights: Weights, device: Device | undefined, opened: Release[]): Promise<Nisqa> {
  const devices = device ? [device] : Array.from({ length: workerCount() }, () => new CpuDevice(1));
  if (!device) for (const each of devices) opened.push(() => each.close());
  const opening = devices.map((each) => openWorker(nisqaModel(weights), each));
  const workers = await openAtOnce(opening, (worker) => worker.dispose());
  for (const worker of workers) opened.push(() => worker.dispose());

  const score = async (samples: Float32Array, sampleRateHz: number) => {
    const recording = { samples, sampleRateHz };
    segmentCountOf(recording);
    const [scores] = await workers[0].score([recording]);
    return scores;
  };

  return {
    score,
    async scoreBatch(recordings) {
      const results = new Array<NisqaScores | UnscorableSample>(recordings.length);
      const waiting = batches(recordings, (index, error) => (results[index] = error));
      const work = async ({ score }: NisqaWorker) => {
        // Each worker takes the next batch as soon as it is free.
        for (const batch of waiting) {
          const scores = await score(batch.map((index) => recordings[index]));
          batch.forEach((index, i) => (results[index] = scores[i]));
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
  /** Of recordings that {@link segmentCountOf} accepts. */
  score(recordings: readonly MonoRecording[]): Promise<NisqaScores[]>;
  dispose(): Promise<void>;
}

async function openWorker(model: Uint8Array<ArrayBuffer>, device: Device): Promise<NisqaWorker> {
  const network = await device.load(model);
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
          const compileIt = () => compileMel(sampleRateHz, device);
          melSessions.set(sampleRateHz, (await programs.get(String(sampleRateHz), compileIt)).handle!);
        }
        const loop: ScoreLoop = { network, melSessions, recordings };
        const scores: NisqaScores[] = [];
        for await (const values of device.stream<Float32Array>(
          compiledModule('./score-loop.js', import.meta.url),
          loop,
        ))
          for (let at = 0; at < values.length; at += DIMENSIONS.length)
            scores.push(namedScores(values.subarray(at, at + DIMENSIONS.length)));
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
  onError: (index: number, error: UnscorableSample) => void,
): Generator<number[]> {
  let batch: number[] = [];
  let longest = 0;
  for (const [index, recording] of recordings.entries()) {
    let segments: number;
    try {
      segments = segmentCountOf(recording);
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

function namedScores(values: ArrayLike<number>): NisqaScores {
  const [mos, noi, dis, col, loud] = Array.from(values);
  return { mos, noi, dis, col, loud };
}
