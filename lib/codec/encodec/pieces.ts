/** Runs a network over sequences of any length, piece by piece, with one compiled program. */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  compile,
  keepPrograms,
  type Compiled,
  type Device,
  type HostArray,
  type InputSpec,
} from '../../engine/index.js';
import { elementCount } from '../../engine/graph.js';
import { samplesPerFrame, type EncodecConfig } from './config.js';
import type { EncodecWeights } from './checkpoint.js';
import { reach, type Layer } from './layers.js';
import {
  carriedInputs,
  carriedShapes,
  columnsName,
  nextOf,
  paddedConvolutions,
  runLayers,
} from './network.js';
import { columnsOf } from './padding.js';

export interface PieceNetwork {
  layers: readonly Layer[];
  /** Weights and whatever else `finish` needs. */
  constants: EncodecWeights;
  /** Shape of one piece of `frames` frames. */
  inputShape: (frames: number) => number[];
  /** The piece as [1, C, T]. */
  start: (piece: Tensor) => Tensor;
  /** The last layer's output [1, C, T] to the result of a piece. */
  finish: (x: Tensor, constants: Readonly<Record<string, Tensor>>) => Tensor;
}

export interface PieceRunner {
  readonly framesPerPiece: number;
  /**
   * Results of the pieces, in order, with the number of frames that count in each.
   *
   * @param samples length of the whole sequence in samples
   * @param pieceAt numbers of the piece that starts at a frame; what is beyond the end of the sequence may be anything finite
   */
  run(
    samples: number,
    pieceAt: (firstFrame: number) => Float32Array,
  ): AsyncGenerator<{ result: HostArray; firstFrame: number; frames: number }>;
  dispose(): Promise<void>;
}

/** The program is compiled at the first run: whoever only decodes has no encoder in memory. */
export function openPieceRunner(config: EncodecConfig, device: Device, network: PieceNetwork): PieceRunner {
  const hop = samplesPerFrame(config);
  const convolutions = paddedConvolutions(network.layers);
  // A second, or enough for every convolution to be mirrored within the first piece.
  const framesPerPiece = Math.max(
    Math.round(config.sampling_rate / hop),
    ...convolutions.map((layer) => Math.ceil((reach(layer) + 1) / layer.inputsPerFrame)),
  );
  const isStrided = convolutions.some(({ stride }) => stride > 1);
  const programs = keepPrograms(2);
  return {
    framesPerPiece,
    async *run(samples, pieceAt) {
      let carried: Record<string, HostArray> = Object.fromEntries(
        Array.from(carriedShapes(network.layers), ([name, shape]) => [
          name,
          new Float32Array(elementCount(shape)),
        ]),
      );
      const total = Math.ceil(samples / hop);
      for (let firstFrame = 0; firstFrame < total; firstFrame += framesPerPiece) {
        // Choosing columns from all of a piece takes time, and only where the sequence ends is there something to choose.
        const isFull = isStrided && (firstFrame + framesPerPiece) * hop <= samples;
        const run = await programs.get(String(isFull), () =>
          compileNetwork(network, framesPerPiece, isFull, device),
        );
        const piece = { firstFrame, frames: isFull ? undefined : framesPerPiece };
        const columns = convolutions.map((layer) => [
          columnsName(layer.name),
          columnsOf(layer, config.pad_mode, piece, Math.ceil((samples * layer.inputsPerFrame) / hop)),
        ]);
        const feeds = { piece: pieceAt(firstFrame), ...carried, ...Object.fromEntries(columns) };
        const { result, ...next } = await run(feeds);
        carried = Object.fromEntries(Object.keys(carried).map((name) => [name, next[nextOf(name)]]));
        yield { result, firstFrame, frames: Math.min(framesPerPiece, total - firstFrame) };
      }
    },
    dispose: () => programs.release(),
  };
}

function compileNetwork(
  { layers, constants, inputShape, start, finish }: PieceNetwork,
  frames: number,
  isFull: boolean,
  device: Device,
): Promise<Compiled> {
  const piece: InputSpec = { shape: inputShape(frames), dtype: 'float32' };
  return compile(
    (tensors) => {
      const next: Record<string, Tensor> = {};
      const result = finish(runLayers(layers, start(tensors.piece), tensors, next), tensors);
      return { result, ...next };
    },
    { piece, ...carriedInputs(layers, isFull ? undefined : frames) },
    { device, constants },
  );
}
