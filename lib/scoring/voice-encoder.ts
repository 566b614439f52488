import { join } from 'node:path';
import { resample } from '../audio/resample.js';
import type { MonoRecording } from '../audio/wav.js';
import { readGivenFile } from '../checkpoint/given-file.js';
import { asStateDict, parseTorchFile } from '../checkpoint/torch-file.js';
import { chunks } from '../chunks.js';
import { CpuDevice, type Device } from '../engine/index.js';
import type { OnNotice } from '../notice.js';
import { openParts, releaseAll } from '../release.js';
import type { Weights } from './onnx-builder.js';
import { checkFinite, checkRate, UnscorableSample } from './unscorable.js';
import {
  EMBEDDING_SIZE,
  FRAME_SIZE,
  HOP,
  PART_FRAMES,
  VOICE_RATE_HZ,
  voiceEncoderModel,
} from './voice-network.js';
import { findWeights, nameWeights, type WeightsPlace } from './weights-path.js';
import { downloadFromWheel } from './wheel.js';

/** A voice encoder, ready to describe voices. */
export interface VoiceEncoder {
  /**
   * Describes the voice in a mono recording, resampled to 16 kHz, by 256 numbers, none of them negative, of length 1. Of two recordings the
   * inner product of their descriptions is their cosine similarity.
   * @throws UnscorableSample when it holds no samples or values that are not numbers, or is silent
   */
  embed(recording: MonoRecording): Promise<Float32Array>;
  /** Frees the network, and the device that was opened for it. */
  dispose(): Promise<void>;
}

const WHEEL = 'Resemblyzer==0.1.4';
const WEIGHTS = {
  'pretrained.pt': '39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e',
} as const;
export const VOICE_ENCODER_FILES: readonly string[] = Object.keys(WEIGHTS);

/** Where the voice encoder's weights belong. */
export const VOICE_ENCODER_PLACE: WeightsPlace = {
  metric: 'Resemblyzer',
  variable: 'RESEMBLYZER_WEIGHTS',
  cached: 'resemblyzer',
  kind: 'folder',
  source: `the folder resemblyzer with pretrained.pt (from the Python package ${WHEEL})`,
  licence: 'Licence: Apache-2.0; by Resemble AI.',
  download: (path) => downloadFromWheel(WHEEL, 'resemblyzer', WEIGHTS, path),
};

/** What quieter recordings are raised to, dB relative to full scale. */
const LOUDNESS_DB = -30;
/** Parts begin 0.77 s apart, 1.3 a second. */
const PART_STEP_FRAMES = 77;
/** The last part counts where the recording fills this share of it. */
const MIN_COVERAGE = 0.75;
/** Parts in one run of the network: bounds its memory to about 30 MB. */
const PARTS_AT_ONCE = 32;

/**
 * Loads Resemblyzer's voice encoder, which tells speakers apart.
 *
 * What it computes is `embed_utterance(normalize_volume(wav, -30, increase_only=True))` of the Python package: silence is not cut out, which
 * its `preprocess_wav` does by a detector of voice in C (webrtcvad).
 *
 * Source: Wan, Wang, Papir, Lopez Moreno, "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018, and the package Resemblyzer.
 *
 * @param weightsFolder holds pretrained.pt; default: the environment's RESEMBLYZER_WEIGHTS, then the user's cache, into which pip gets it
 * from the wheel Resemblyzer where it is missing (of the Python in SPEECH_DPO_PYTHON, else of .venv, else the system's)
 * @param options.device runs the network; default: a CPU device of its own, which `dispose` closes
 * @param options.onNotice is told of a download, with the licence
 * @throws Error when the weights are not found (saying how to provide them) or are not the encoder's
 */
export async function loadVoiceEncoder(
  weightsFolder?: string,
  options: { device?: Device; onNotice?: OnNotice } = {},
): Promise<VoiceEncoder> {
  const path = join(await findWeights(VOICE_ENCODER_PLACE, weightsFolder, options.onNotice), 'pretrained.pt');
  const name = nameWeights(VOICE_ENCODER_PLACE, path, weightsFolder);
  const weights = parseVoiceEncoderWeights(await readGivenFile(path, name), name);
  return openParts(async (opened) => {
    const device = options.device ?? new CpuDevice(1);
    if (!options.device) opened.push(() => device.close());
    const network = await device.load(voiceEncoderModel(weights));
    opened.push(() => device.unload(network));
    const embedParts = async (frames: Float32Array, starts: Int32Array) => {
      const { embeddings } = await device.run(
        network,
        {
          frames: { data: frames, shape: [frames.length / FRAME_SIZE, FRAME_SIZE] },
          starts: { data: starts, shape: [starts.length] },
        },
        {},
      );
      return embeddings as Float32Array;
    };
    return {
      async embed({ samples, sampleRateHz }) {
        if (samples.length === 0) throw new UnscorableSample('it holds no samples');
        checkFinite(samples);
        checkRate(sampleRateHz, VOICE_RATE_HZ);
        return embedParted(raised(resample(samples, sampleRateHz, VOICE_RATE_HZ)), embedParts);
      },
      dispose: () => releaseAll(opened),
    };
  });
}

/** Cosine of the angle between two descriptions of voices: from 0 to 1, which two recordings of one voice come near. */
export function voiceSimilarity(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

/**
 * Reads pretrained.pt.
 *
 * @param name stands for the file in error messages
 * @throws Error naming the file when it is no such checkpoint, or a weight is missing or of another shape
 */
export function parseVoiceEncoderWeights(bytes: Uint8Array, name: string): Weights {
  const checkpoint = parseTorchFile(bytes, name);
  const state = asStateDict(checkpoint instanceof Map ? checkpoint.get('model_state') : undefined, name);
  return (weight, shape) => {
    const tensor = state.get(weight);
    if (tensor?.dtype !== 'float32' || tensor.shape.join() !== shape.join()) {
      const found = tensor ? `${tensor.dtype} [${tensor.shape.join(', ')}]` : 'missing';
      throw new Error(`${name}: the weight "${weight}" is ${found}; expected float32 [${shape.join(', ')}]`);
    }
    return tensor.data;
  };
}

/** The samples, louder where they are below -30 dB. */
function raised(samples: Float32Array): Float32Array {
  const meanSquare = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
  if (meanSquare === 0) throw new UnscorableSample('it is silent');
  const gain = 10 ** (LOUDNESS_DB / 20) / Math.sqrt(meanSquare);
  return gain > 1 ? samples.map((value) => value * gain) : samples;
}

/** The mean of the parts' descriptions, each of length 1, brought to that length again. */
async function embedParted(
  samples: Float32Array,
  embedParts: (frames: Float32Array, starts: Int32Array) => Promise<Float32Array>,
): Promise<Float32Array> {
  const starts = partStarts(samples.length);
  const sum = new Float64Array(EMBEDDING_SIZE);
  for (const some of chunks(starts, PARTS_AT_ONCE)) {
    const frames = framesOf(samples, some[0], some.at(-1)! + PART_FRAMES);
    const embeddings = await embedParts(
      frames,
      Int32Array.from(some, (start) => start - some[0]),
    );
    for (let part = 0; part < some.length; part++)
      unit(embeddings.subarray(part * EMBEDDING_SIZE, (part + 1) * EMBEDDING_SIZE)).forEach(
        (value, i) => (sum[i] += value),
      );
  }
  return Float32Array.from(unit(sum));
}

/** The first frame of each part; the last one may go beyond the recording, into zeros. */
function partStarts(sampleCount: number): number[] {
  const frameCount = Math.ceil((sampleCount + 1) / HOP);
  const end = Math.max(1, frameCount - PART_FRAMES + PART_STEP_FRAMES + 1);
  const starts = Array.from({ length: Math.ceil(end / PART_STEP_FRAMES) }, (_, i) => i * PART_STEP_FRAMES);
  const coverage = (sampleCount - starts.at(-1)! * HOP) / (PART_FRAMES * HOP);
  return coverage < MIN_COVERAGE && starts.length > 1 ? starts.slice(0, -1) : starts;
}

/** Frames `from` to `to`, each centred on its multiple of HOP; around the recording are zeros: [to - from, FRAME_SIZE]. */
function framesOf(samples: Float32Array, from: number, to: number): Float32Array {
  const frames = new Float32Array((to - from) * FRAME_SIZE);
  for (let frame = from; frame < to; frame++) {
    const start = frame * HOP - FRAME_SIZE / 2;
    const inside = samples.subarray(Math.max(0, start), Math.max(0, start + FRAME_SIZE));
    frames.set(inside, (frame - from) * FRAME_SIZE + Math.max(0, -start));
  }
  return frames;
}

function unit<Numbers extends Float32Array | Float64Array>(values: Numbers): Numbers {
  const norm = Math.hypot(...values);
  if (!(norm > 0)) throw new UnscorableSample('no voice is found in it');
  return values.map((value) => value / norm) as Numbers;
}
