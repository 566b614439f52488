/** Codes to sound: the decoder network and Griffin-Lim, compiled for each length. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { compile, CpuDevice, keepPrograms, tf, type Device } from '../../engine/index.js';
import { openParts, releaseAll } from '../../release.js';
import { createTurns } from '../../turns.js';
import type { Codes } from '../codec.js';
import type { SpectralCodecModel } from './checkpoint.js';
import { logMagnitudes, type DecoderConfig, type Weights } from './decoder.js';
import { makeExcitation } from './excitation.js';
import { FEATURES, HOP, LOG_F0_WEIGHT, MEL_BANDS, SAMPLES_PER_CODE } from './features.js';
import { openPhaseSearch } from './griffin-lim-cpu.js';
import { griffinLim } from './griffin-lim.js';
import { sumEntries } from '../quantizer.js';
import { BINS, BINS_OF, MARGIN, overlapGain, stftMatrices, type StftMatrices } from './stft-graph.js';

export interface SpectralDecoder {
  /** At least one frame; codebooks that are left out count as zero. Gives 320 samples a frame. */
  decode(codes: Codes): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** The decoder for recordings of one number of codes. */
interface Synthesis {
  /** Quantized features [codes, FEATURES] and an excitation [2 * codes + 3, HOP] to a signal of the excitation's shape. */
  (features: Float32Array, excitation: Float32Array): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Lengths are rounded up to this many codes, so that few programs are compiled. */
const LENGTH_STEP = 32;
/** Of the lengths decoded last; recordings of one data set have fewer. */
const MOST_PROGRAMS = 32;

/**
 * On a CPU the decoder has a thread of its own, beside the device's: there it is network and kernel by turns, and the kernel keeps one core busy.
 */
export function openSpectralDecoder(model: SpectralCodecModel, device: Device): SpectralDecoder {
  const programs = keepPrograms<Synthesis>(MOST_PROGRAMS);
  const thread = device instanceof CpuDevice ? new CpuDevice(1) : undefined;
  const compileFor = (codes: number) =>
    thread ? compileForCpu(model, codes, thread) : compileGraph(model, codes, device);
  return {
    async decode(codes) {
      const count = codes[0].length;
      const padded = Math.ceil(count / LENGTH_STEP) * LENGTH_STEP;
      const synthesize = await programs.get(String(padded), () => compileFor(padded));
      const features = sumEntries(
        codes.map((row) => repeatLast(row, padded)),
        model.codebooks,
        FEATURES,
      );
      const blocks = new Float32Array((2 * padded + 3) * HOP);
      blocks.set(excitationOf(features, model.scale.logF0Mean), MARGIN);
      const signal = await synthesize(features, blocks);
      return signal.slice(MARGIN, MARGIN + count * SAMPLES_PER_CODE);
    },
    dispose: () => releaseAll([() => thread?.close(), () => programs.release()]),
  };
}

function compileForCpu(
  { config, decoder }: SpectralCodecModel,
  codes: number,
  device: CpuDevice,
): Promise<Synthesis> {
  return openParts(async (opened) => {
    const search = await openPhaseSearch(device, 2 * codes, config.griffin_lim_iterations);
    opened.push(search.dispose);
    const network = await compile(
      ({ features, ...weights }) => ({ magnitudes: magnitudesOf(features, weights, config.decoder) }),
      { features: { shape: [1, codes, FEATURES], dtype: 'float32' } },
      { device, constants: Object.fromEntries(decoder) },
    );
    opened.push(network.dispose);
    const inTurn = createTurns();
    const run = (features: Float32Array, excitation: Float32Array) =>
      // One recording after the other: they share the room for magnitudes.
      inTurn(async () => {
        await network({ features }, { magnitudes: search.magnitudes });
        return search.find(excitation);
      });
    return Object.assign(run, { dispose: () => releaseAll(opened) });
  });
}

async function compileGraph(
  { config, decoder }: SpectralCodecModel,
  codes: number,
  device: Device,
): Promise<Synthesis> {
  const frames = 2 * codes;
  const program = await compile(
    ({ features, excitation, gain, ...constants }) => {
      const frequencies = magnitudesOf(features, constants, config.decoder);
      const magnitudes = {
        even: tf.gather(frequencies, [...BINS_OF.even]),
        odd: tf.gather(frequencies, [...BINS_OF.odd]),
      };
      const start = tf.transpose(excitation);
      const matrices = constants as StftMatrices;
      const signal = griffinLim(magnitudes, start, config.griffin_lim_iterations, matrices, gain);
      return { signal: tf.transpose(signal) };
    },
    {
      features: { shape: [1, codes, FEATURES], dtype: 'float32' },
      excitation: { shape: [frames + 3, HOP], dtype: 'float32' },
    },
    {
      device,
      constants: {
        ...Object.fromEntries(decoder),
        ...stftMatrices(),
        gain: { shape: [HOP, frames + 3], data: overlapGain(frames) },
      },
    },
  );
  const run = async (features: Float32Array, excitation: Float32Array) =>
    (await program({ features, excitation })).signal as Float32Array;
  return Object.assign(run, { dispose: () => program.dispose() });
}

/** Features of one recording [1, codes, FEATURES] to magnitudes [BINS, 2 * codes]. */
function magnitudesOf(features: Tensor, weights: Weights, config: DecoderConfig): Tensor {
  const frames = 2 * features.shape[1]!;
  return tf.transpose(tf.reshape(tf.exp(logMagnitudes(features, weights, config)), [frames, BINS]));
}

/** The pitch and voicing that quantized features hold, as a pulse train for the phase to start from. */
function excitationOf(features: Float32Array, logF0Mean: number): Float32Array {
  const frames = (features.length / FEATURES) * 2;
  const at = (frame: number, column: number): number =>
    features[(frame >> 1) * FEATURES + 2 * MEL_BANDS + column + (frame & 1)];
  const f0Hz = Float32Array.from({ length: frames }, (_, t) =>
    Math.exp(at(t, 0) / LOG_F0_WEIGHT + logF0Mean),
  );
  return makeExcitation(
    f0Hz,
    Array.from({ length: frames }, (_, t) => at(t, 2) > 0),
  );
}

const repeatLast = (row: readonly number[], length: number): number[] =>
  Array.from({ length }, (_, i) => row[Math.min(i, row.length - 1)]);
