/** A new policy's weights. */
import type { FloatTensor } from '../../engine/host-tensor.js';
import { elementCount } from '../../engine/graph.js';
import { uniformStream } from '../../random.js';
import type { BartConfig } from './config.js';
import { bartWeightShapes, SHARED_EMBEDDING } from './weights.js';

/** Weights as transformers initialises a BART: normal with deviation `init_std`, biases 0, layer norms 1, the pad row 0. */
export function initializeWeights(config: BartConfig, seed: number): Map<string, FloatTensor> {
  const uniform = uniformStream(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const weights = new Map<string, FloatTensor>();
  for (const [name, shape] of bartWeightShapes(config)) {
    const count = elementCount(shape);
    const isNorm = /layer_?norm/.test(name);
    const data = Float32Array.from({ length: count }, () =>
      name.endsWith('bias') ? 0 : isNorm ? 1 : normal() * config.init_std,
    );
    if (name === SHARED_EMBEDDING)
      data.fill(0, config.pad_token_id * config.d_model, (config.pad_token_id + 1) * config.d_model);
    weights.set(name, { shape, dtype: 'float32', data });
  }
  return weights;
}
