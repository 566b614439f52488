/** TensorFlow.js, loaded once. The union package is CommonJS and registers every gradient. */
import { createRequire } from 'node:module';
import type * as TensorFlow from '@tensorflow/tfjs';

export const tf = createRequire(import.meta.url)('@tensorflow/tfjs') as typeof TensorFlow;
export type { Tensor, DataType, NamedTensorMap } from '@tensorflow/tfjs';
