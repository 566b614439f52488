/** Resemblyzer's voice encoder as an ONNX model, and which frames it sees. */
import { melFilterBank } from '../audio/mel.js';
import { hannWindow } from '../audio/stft.js';
import { DYNAMIC } from '../engine/graph.js';
import { writeOnnx } from '../engine/onnx.js';
import { createBuilder, linear, lstmWeights, type Weights } from './onnx-builder.js';

export const VOICE_RATE_HZ = 16_000;
export const EMBEDDING_SIZE = 256;
/** Samples of a frame's window: 25 ms. */
export const FRAME_SIZE = 400;
/** Samples from one frame to the next: 10 ms. */
export const HOP = 160;
/** Frames of a part that is embedded by itself: 1.6 s. */
export const PART_FRAMES = 160;

const BINS = FRAME_SIZE / 2 + 1;
const MEL_BANDS = 40;
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
  const { node, floats, ints, int32s } = builder;
  const spectrum = (wave: (angle: number) => number) =>
    node('MatMul', ['frames', floats(basis(wave), [FRAME_SIZE, BINS])]);
  const powers = [spectrum(Math.cos), spectrum(Math.sin)].map((part) => node('Mul', [part, part]));
  const mel = node('MatMul', [node('Add', powers), floats(filters(), [BINS, MEL_BANDS])]);
  const offsets = int32s(Array.from({ length: PART_FRAMES }, (_, i) => i));
  const positions = node('Add', [node('Unsqueeze', ['starts', ints([1])]), offsets]);
  let x = node('Transpose', [node('Gather', [mel, positions], { axis: 0 })], { perm: [1, 0, 2] });
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
    x = node('Squeeze', [all, ints([1])]);
  }
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

/** Waves times the Hann window: [FRAME_SIZE, BINS]. */
function basis(wave: (angle: number) => number): Float32Array {
  const window = hannWindow(FRAME_SIZE);
  return Float32Array.from({ length: FRAME_SIZE * BINS }, (_, i) => {
    const [sample, bin] = [Math.floor(i / BINS), i % BINS];
    return window[sample] * wave((2 * Math.PI * ((sample * bin) % FRAME_SIZE)) / FRAME_SIZE);
  });
}

/** librosa's mel filters: [BINS, MEL_BANDS]. */
function filters(): Float32Array {
  const matrix = new Float32Array(BINS * MEL_BANDS);
  const bands = melFilterBank({ sampleRateHz: VOICE_RATE_HZ, fftSize: FRAME_SIZE, bands: MEL_BANDS });
  bands.forEach(({ firstBin, weights }, band) => {
    weights.forEach((weight, i) => (matrix[(firstBin + i) * MEL_BANDS + band] = weight));
  });
  return matrix;
}
