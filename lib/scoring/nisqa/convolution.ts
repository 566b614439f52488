import type { Builder } from '../onnx-builder.js';

const EPSILON = 1e-5;

/**
 * A convolution with batch normalisation (folded into its weights) and ReLU, of images [segments, inputs, frames, bands]. The authors' images
 * have bands before frames: ONNX Runtime is faster where the last axis is the long one.
 */
export function convolution(
  builder: Builder,
  x: string,
  layer: number,
  inputs: number,
  outputs: number,
  pads = [1, 1, 1, 1],
): string {
  const { weights } = builder;
  const [conv, norm] = [`cnn.model.conv${layer}`, `cnn.model.bn${layer}`];
  const variance = weights(`${norm}.running_var`, [outputs]);
  const mean = weights(`${norm}.running_mean`, [outputs]);
  const gain = weights(`${norm}.weight`, [outputs]).map(
    (value, i) => value / Math.sqrt(variance[i] + EPSILON),
  );
  const byBand = weights(`${conv}.weight`, [outputs, inputs, 3, 3]);
  const kernel = byBand.map((_, i) => {
    const [start, band, frame] = [i - (i % 9), i % 3, Math.floor((i % 9) / 3)];
    return byBand[start + 3 * band + frame] * gain[Math.floor(i / (inputs * 9))];
  });
  const shift = weights(`${norm}.bias`, [outputs]);
  const bias = weights(`${conv}.bias`, [outputs]).map((value, i) => (value - mean[i]) * gain[i] + shift[i]);
  const parameters = [builder.floats(kernel, [outputs, inputs, 3, 3]), builder.floats(bias, [outputs])];
  return builder.node('Relu', [builder.node('Conv', [x, ...parameters], { kernel_shape: [3, 3], pads })]);
}
