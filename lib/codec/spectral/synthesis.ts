/** Codes to sound: the decoder network and Griffin-Lim as one compiled program for each length. */
import { compile, keepPrograms, tf, type Compiled, type Device } from '../../engine/index.js';
import type { Codes } from '../codec.js';
import type { SpectralCodecModel } from './checkpoint.js';
import { logMagnitudes } from './decoder.js';
import { makeExcitation } from './excitation.js';
import { FEATURES, HOP, LOG_F0_WEIGHT, MEL_BANDS, SAMPLES_PER_CODE } from './features.js';
import { griffinLim } from './griffin-lim.js';
import { sumEntries } from '../quantizer.js';
import { BINS, BINS_OF, MARGIN, overlapGain, stftMatrices, type StftMatrices } from './stft-graph.js';

export interface SpectralDecoder {
  /** At least one frame; codebooks that are left out count as zero. Gives 320 samples a frame. */
  decode(codes: Codes): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Lengths are rounded up to this many codes, so that few programs are compiled. */
const LENGTH_STEP = 32;
/** Of the lengths decoded last; recordings of one data set have fewer. */
const MOST_PROGRAMS = 32;

export function openSpectralDecoder(model: SpectralCodecModel, device: Device): SpectralDecoder {
  const programs = keepPrograms(MOST_PROGRAMS);
  return {
    async decode(codes) {
      const count = codes[0].length;
      const padded = Math.ceil(count / LENGTH_STEP) * LENGTH_STEP;
      const run = await programs.get(String(padded), () => compileDecoder(model, padded, device));
      const features = sumEntries(
        codes.map((row) => repeatLast(row, padded)),
        model.codebooks,
        FEATURES,
      );
      const blocks = new Float32Array((2 * padded + 3) * HOP);
      blocks.set(excitationOf(features, model.scale.logF0Mean), MARGIN);
      const { signal } = await run({ features, excitation: blocks });
      return (signal as Float32Array).slice(MARGIN, MARGIN + count * SAMPLES_PER_CODE);
    },
    dispose: () => programs.release(),
  };
}

function compileDecoder(
  { config, decoder }: SpectralCodecModel,
  codes: number,
  device: Device,
): Promise<Compiled> {
  const frames = 2 * codes;
  return compile(
    ({ features, excitation, gain, ...constants }) => {
      const frequencies = tf.transpose(
        tf.reshape(tf.exp(logMagnitudes(features, constants, config.decoder)), [frames, BINS]),
      );
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
