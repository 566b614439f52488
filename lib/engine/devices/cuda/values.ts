/** Tensors of the device as ONNX Runtime has them. */
import { DTYPES, elementCount, type DType } from '../../graph.js';
import type { Address } from '../ort/native.js';
import type { Runtime } from './runtime.js';

/** A tensor at an address of the device. */
export interface Placed {
  readonly address: Address;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

export const bytesOf = ({ shape, dtype }: Pick<Placed, 'shape' | 'dtype'>): number =>
  elementCount(shape) * DTYPES[dtype].Array.BYTES_PER_ELEMENT;

/** A value over a tensor of ours; whoever asks for it releases it. The memory stays ours. */
export function valueOf({ api, device }: Runtime, tensor: Placed): Address {
  const { address, shape, dtype } = tensor;
  const sizes = BigInt64Array.from(shape, BigInt);
  const place = [address, BigInt(bytesOf(tensor)), sizes, shape.length] as const;
  return api.get('CreateTensorWithDataAsOrtValue', device, ...place, DTYPES[dtype].onnx);
}
