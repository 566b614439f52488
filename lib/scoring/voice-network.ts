/** Resemblyzer's voice encoder as an ONNX model, and which frames it sees. */
import { DYNAMIC } from '../engine/graph.js';
import { writeOnnx } from '../engine/onnx.js';
import { createBuilder, linear, lstmWeights, type Builder, type Weights } from './onnx-builder.js';
import { melMatrix, windowedWaves, type Matrix } from './spectrum-matrices.js';

export const VOICE_RATE_HZ = 16_000;
export const EMBEDDING_SIZE = 256;
/** Samples of a frame's window: 25 ms. */
export const FRAME_SIZE = 400;
/** Samples from one frame to the next: 10 ms. */
export const HOP = 160;
/** Frames of a part that is embedded by itself: 1.6 s. */
export const PART_FRAMES = 160;

const MEL_BANDS = 40;
const MEL = { sampleRateHz: VOICE_RATE_HZ, fftSize: FRAME_SIZE, bands: MEL_BANDS };
const UNITS = 256;
const LAYERS = 3;

/**
 * Three LSTM layers over the mel spectrogram of power (not its logarithm), the last one's state after a part's last frame, a linear layer and
 * ReLU. The embeddings are not yet of length 1.
 *
 * Inputs: `frames` float32 [frames, 400], overlapping pieces of a recording; `starts` int32 [parts], each part's first frame.
 * Output: `embeddings` float32 [parts, 256].
 */
export function voiceEncoderModel(weights: Weights): Uint8Array<ArrayBuffer> {
  const builder = createBuilder(weights);
  const { node, ints } = builder;
  const last = lastState(builder, partsOf(builder, melPowers(builder)));
  const described = linear(builder, node('Squeeze', [last, ints([0])]), 'linear', UNITS, EMBEDDING_SIZE);
  node('Relu', [described], {}, 'embeddings');
  return writeOnnx({
    ...builder.graph,
    inputs: [
      { name: 'frames', shape: [DYNAMIC, FRAME_SIZE], dtype: 'float32' },
      { name: 'starts', shape: [DYNAMIC], dtype: 'int32' },
    ],
    outputs: [{ name: 'embeddings', shape: [DYNAMIC, EMBEDDING_SIZE], dtype: 'float32' }],
  });
}

/** The mel spectrogram [frames, bands] of the input `frames`: powers, not their logarithms. */
function melPowers({ node, floats }: Builder): string {
  const multiplied = (x: string, { data, shape }: Matrix) => node('MatMul', [x, floats(data, shape)]);
  const powers = [Math.cos, Math.sin].map((wave) => {
    const part = multiplied('frames', windowedWaves(FRAME_SIZE, wave));
    return node('Mul', [part, part]);
  });
  return multiplied(node('Add', powers), melMatrix(MEL));
}

/** The parts [frames of a part, parts, bands] of a spectrogram that begin at the input `starts`. */
function partsOf({ node, ints, int32s }: Builder, mel: string): string {
  const offsets = int32s(Array.from({ length: PART_FRAMES }, (_, i) => i));
  const positions = node('Add', [node('Unsqueeze', ['starts', ints([1])]), offsets]);
  return node('Transpose', [node('Gather', [mel, positions], { axis: 0 })], { perm: [1, 0, 2] });
}

/** The state [1, parts, units] of the last LSTM layer after the last frame of each part. */
function lastState(builder: Builder, parts: string): string {
  let x = parts;
  let last = '';
  for (let layer = 0; layer < LAYERS; layer++) {
    const inputs = layer === 0 ? MEL_BANDS : UNITS;
    const all = `all${layer}`;
    last = `last${layer}`;
    builder.graph.nodes.push({
      op: 'LSTM',
      domain: '',
      inputs: [x, ...lstmWeights(builder, 'lstm', [`_l${layer}`], inputs, UNITS)],
      outputs: [all, last],
      attributes: { hidden_size: UNITS },
    });
    x = builder.node('Squeeze', [all, builder.ints([1])]);
  }
  return last;
}
