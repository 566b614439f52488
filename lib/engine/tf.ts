/** TensorFlow.js, loaded once. The union package is CommonJS and registers every gradient. */
import { createRequire } from 'node:module';
import type * as TensorFlow from '@tensorflow/tfjs';

/** The namespace of TensorFlow.js that programs are written in. */
export const tf = createRequire(import.meta.url)('@tensorflow/tfjs') as typeof TensorFlow;
export type { Tensor, DataType, NamedTensorMap } from '@tensorflow/tfjs';
