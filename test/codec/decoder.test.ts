import { beforeAll, describe, expect, it } from 'vitest';
import { decoderShapes, logMagnitudes, type DecoderConfig } from '../../lib/codec/spectral/decoder.js';
import { compile, tf, type InputSpec } from '../../lib/engine/index.js';
import { device } from '../support/device.js';

const CONFIG: DecoderConfig = { width: 4, slowBlocks: 1, fastBlocks: 1, kernel: 3, expansion: 2, bins: 321 };
const CODES = 3;

/** Computed once by an independent forward pass in NumPy (float64), bins 0, 1, 160 and 320 of frames 0, 2 and 5. */
const REFERENCE = [
  [-0.838071, 0.638742, 1.102284, -1.312771],
  [-1.621914, -2.044696, 1.277718, -0.871244],
  [-0.078555, -1.218576, -0.230052, 0.527446],
];

/** The k-th weight of all, in the order of `decoderShapes`, is sin(k) / 2; the k-th feature is cos(0.7 k). */
function makeInputs(): { specs: Record<string, InputSpec>; values: Record<string, Float32Array> } {
  const shapes = decoderShapes(CONFIG);
  const specs: Record<string, InputSpec> = { features: { shape: [1, CODES, 164], dtype: 'float32' } };
  const values = {
    features: Float32Array.from({ length: CODES * 164 }, (_, k) => Math.cos(0.7 * k)),
  } as Record<string, Float32Array>;
  let start = 0;
  for (const [name, shape] of shapes) {
    const size = shape.reduce((product, n) => product * n, 1);
    const first = start;
    values[name] = Float32Array.from({ length: size }, (_, i) => 0.5 * Math.sin(first + i));
    specs[name] = { shape, dtype: 'float32' };
    start += size;
  }
  return { specs, values };
}

describe.each(['eager', 'onnx'] as const)('decoder network, %s', (engine) => {
  beforeAll(() => tf.setBackend('cpu'));

  it('computes the reference magnitudes', async () => {
    const { specs, values } = makeInputs();
    const run = await compile(
      ({ features, ...weights }) => ({ logMagnitudes: logMagnitudes(features, weights, CONFIG) }),
      specs,
      { device: engine === 'onnx' ? device : engine },
    );
    const { logMagnitudes: result } = await run(values);
    await run.dispose();
    expect(result.length).toBe(2 * CODES * 321);
    [0, 2, 5].forEach((frame, row) => {
      [0, 1, 160, 320].forEach((bin, column) => {
        expect(result[frame * 321 + bin]).toBeCloseTo(REFERENCE[row][column], 4);
      });
    });
  });
});
