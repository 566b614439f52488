import type { Device } from '../../device.js';
import { loadAddon } from './addon.js';
import { TensorFlowDevice } from './device.js';
import { numbersInMemory } from '../amounts.js';

/**
 * The native TensorFlow: programs run operation by operation on @tensorflow/tfjs-node-gpu or @tensorflow/tfjs-node. Each run keeps the
 * caller's thread until it is done.
 *
 * @throws Error in one sentence where neither package is installed, built, or made for this Node.js, or the one for GPUs finds none
 */
export async function openTensorFlow(): Promise<Device> {
  const { title, library, onGpu } = loadAddon();
  return new TensorFlowDevice({
    backend: 'tensorflow',
    description: `TensorFlow ${library} on the ${onGpu ? 'GPU' : 'CPU'}, by ${title}`,
    // What a GPU has, TensorFlow.js does not tell.
    mostNumbers: onGpu ? Infinity : numbersInMemory(),
  });
}
