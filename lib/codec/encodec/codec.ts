import type { Tensor2D } from '@tensorflow/tfjs-core';
import { requireFinite } from '../../audio/finite.js';
import { tf, type Device } from '../../engine/index.js';
import { releaseAll } from '../../release.js';
import { checkCodes } from '../check-codes.js';
import type { Codec, Codes } from '../codec.js';
import { quantize, sumEntries } from '../quantizer.js';
import { loadEncodec, type EncodecModel, type EncodecOptions } from './checkpoint.js';
import { samplesPerFrame } from './config.js';
import { decoderLayers, encoderLayers } from './layers.js';
import { openPieceRunner, type PieceRunner } from './pieces.js';

/**
 * Opens an EnCodec (Défossez et al. 2022, "High Fidelity Neural Audio Compression") in the folder layout of facebook/encodec_24khz, of
 * any size: config.json and weights. Mono. Recordings are computed in pieces of a second that hand their states on, so that memory does
 * not grow with length; pieces add up to what the whole would be, but for rounding.
 *
 * @param options how many codebooks are used; default: 8 of facebook/encodec_24khz, as many as its 6 kbit/s pay for
 * @throws Error naming the file and key or tensor when the folder holds no such EnCodec
 */
export async function openEncodec(
  folder: string,
  device: Device,
  options: EncodecOptions = {},
): Promise<Codec> {
  return createEncodec(await loadEncodec(folder, options), device);
}

function createEncodec(model: EncodecModel, device: Device): Codec {
  const { config, codebooks } = model;
  const hop = samplesPerFrame(config);
  const encoder = openEncoder(model, device);
  const decoder = openDecoder(model, device);
  return {
    sampleRateHz: config.sampling_rate,
    frameRateHz: config.sampling_rate / hop,
    codebooks: codebooks.length,
    codebookSize: config.codebook_size,
    async encode(samples) {
      requireFinite(samples);
      const codes: Codes = codebooks.map(() => []);
      const pieceSamples = encoder.framesPerPiece * hop;
      const pieceAt = (firstFrame: number) => {
        const piece = new Float32Array(pieceSamples);
        piece.set(samples.subarray(firstFrame * hop, firstFrame * hop + pieceSamples));
        return piece;
      };
      for await (const { result, frames } of encoder.run(samples.length, pieceAt)) {
        codes.forEach((row, i) => {
          const start = i * encoder.framesPerPiece;
          row.push(...result.subarray(start, start + frames));
        });
      }
      return codes;
    },
    async decode(codes) {
      checkCodes(codes, codebooks.length, config.codebook_size);
      const frames = codes[0].length;
      const samples = new Float32Array(frames * hop);
      const pieceAt = (firstFrame: number) => {
        const piece = new Float32Array(decoder.framesPerPiece * config.hidden_size);
        const part = codes.map((row) => row.slice(firstFrame, firstFrame + decoder.framesPerPiece));
        piece.set(sumEntries(part, codebooks, config.hidden_size));
        return piece;
      };
      for await (const { result, firstFrame, frames: used } of decoder.run(samples.length, pieceAt)) {
        samples.set(result.subarray(0, used * hop), firstFrame * hop);
      }
      return samples;
    },
    dispose: () => releaseAll([() => encoder.dispose(), () => decoder.dispose()]),
  };
}

/** Samples to codes, int32 [codebooks, frames]. */
function openEncoder({ config, encoder, codebooks }: EncodecModel, device: Device): PieceRunner {
  const entries = codebooks.map((data, i) => ({ name: `codebook${i}`, data }));
  const shape = [config.codebook_size, config.hidden_size];
  return openPieceRunner(config, device, {
    layers: encoderLayers(config),
    constants: {
      ...encoder,
      ...Object.fromEntries(entries.map(({ name, data }) => [name, { shape, dtype: 'float32', data }])),
    },
    inputShape: (frames) => [1, 1, frames * samplesPerFrame(config)],
    start: (piece) => piece,
    finish: (x, constants) => {
      const features = tf.transpose(tf.squeeze(x, [0]) as Tensor2D);
      return quantize(
        features,
        entries.map(({ name }) => constants[name]),
      );
    },
  });
}

/** Features [frames, hidden_size] to samples. */
function openDecoder({ config, decoder }: EncodecModel, device: Device): PieceRunner {
  return openPieceRunner(config, device, {
    layers: decoderLayers(config),
    constants: decoder,
    inputShape: (frames) => [frames, config.hidden_size],
    start: (piece) => tf.expandDims(tf.transpose(piece as Tensor2D), 0),
    finish: (x) => x,
  });
}
