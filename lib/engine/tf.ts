/**
 * TensorFlow.js, loaded once: the parts of it that are used. The whole, `@tensorflow/tfjs`, is these and three parts more (WebGL, saved
 * models, datasets), of three times the size; a program that loads it too shares these very copies.
 */
import { createRequire } from 'node:module';
import type * as TensorFlow from '@tensorflow/tfjs-core';

const require = createRequire(import.meta.url);

/** The namespace of TensorFlow.js that programs are written in. */
export const tf = require('@tensorflow/tfjs-core') as typeof TensorFlow;
// Registers the gradients of all operations: no smaller package that Node.js can load holds them.
require('@tensorflow/tfjs-layers');
// Registers the backend of plain JavaScript, which kernels are checked with.
require('@tensorflow/tfjs-backend-cpu');

export type { Tensor, DataType, NamedTensorMap } from '@tensorflow/tfjs-core';
