import { linear, lstmWeights, type Builder } from '../onnx-builder.js';
import { convolution } from './convolution.js';

const CNN_OUTPUTS = 768;
const DESCRIPTION = 20;
const UNITS = 128;

/**
 * The network for synthesized speech after its segments: from `images` [segments, 1, 15 frames, 48 bands], `segments` and `lengths` to `scores`
 * [recordings, 1].
 */
export function lstmNetwork(builder: Builder, images: string): void {
  const described = linear(
    builder,
    convolutions(builder, images),
    'cnn.model.fc_out',
    CNN_OUTPUTS,
    DESCRIPTION,
  );
  const sequences = builder.node('Gather', [described, 'segments'], { axis: 0 });
  const timeFirst = builder.node('Transpose', [sequences], { perm: [1, 0, 2] });
  // The state after a recording's last segment, and that of the other direction after its first: [2, recordings, units].
  const last = 'last';
  const directions = ['_l0', '_l0_reverse'];
  const weights = lstmWeights(builder, 'time_dependency.model.lstm', directions, DESCRIPTION, UNITS);
  builder.graph.nodes.push({
    op: 'LSTM',
    domain: '',
    inputs: [timeFirst, ...weights, 'lengths'],
    outputs: ['', last],
    attributes: { direction: 'bidirectional', hidden_size: UNITS },
  });
  const byRecording = builder.node('Transpose', [last], { perm: [1, 0, 2] });
  const joined = builder.node('Flatten', [byRecording], { axis: 1 });
  linear(builder, joined, 'pool.model.linear', 2 * UNITS, 1, 'scores');
}

/** Six convolutions over [segments, 1, 15 frames, 48 bands]; to [segments, 768], ordered by channel, band and frame. */
function convolutions(builder: Builder, images: string): string {
  const pool = (input: string, pads = [0, 0, 0, 0]) =>
    builder.node('MaxPool', [input], { kernel_shape: [2, 2], strides: [2, 2], pads });
  let x = pool(convolution(builder, images, 1, 1, 16), [1, 0, 1, 0]);
  x = pool(convolution(builder, x, 2, 16, 32));
  x = pool(convolution(builder, convolution(builder, x, 3, 32, 64), 4, 64, 64));
  x = convolution(builder, convolution(builder, x, 5, 64, 64), 6, 64, 64);
  return builder.node('Flatten', [builder.node('Transpose', [x], { perm: [0, 1, 3, 2] })], { axis: 1 });
}
