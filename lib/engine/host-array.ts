/** Values of TensorFlow.js tensors in ordinary memory. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { HostArray } from './device.js';

/** A tensor's values; the array may be the backend's own. TensorFlow.js casts bool to numbers without converting them: the tensor still holds bytes. */
export function hostArray(tensor: Tensor): HostArray {
  const data = tensor.dataSync() as HostArray;
  if (tensor.dtype === 'float32' && !(data instanceof Float32Array)) return Float32Array.from(data);
  if (tensor.dtype === 'int32' && !(data instanceof Int32Array)) return Int32Array.from(data);
  return data;
}
