/** Tensors as ONNX Runtime has them: over memory of ours, and of its own. */
import { DTYPES, elementCount, type Constant, type DType } from '../../graph.js';
import { copyFrom, type Address } from './native.js';
import type { Runtime } from './runtime.js';

/** Values of an output in the process's memory. */
export type HostValues = Constant['data'];

/** A tensor at an address of the device. */
export interface Placed {
  readonly address: Address;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

export const bytesOf = ({ shape, dtype }: Pick<Placed, 'shape' | 'dtype'>): number =>
  elementCount(shape) * DTYPES[dtype].Array.BYTES_PER_ELEMENT;

export const arrayFor = ({ shape, dtype }: Pick<Placed, 'shape' | 'dtype'>): HostValues =>
  new DTYPES[dtype].Array(elementCount(shape));

/** A value over a tensor of ours; whoever asks for it releases it. The memory stays ours. */
export function valueOf({ api, device }: Runtime, tensor: Placed): Address {
  const { address, shape, dtype } = tensor;
  const sizes = BigInt64Array.from(shape, BigInt);
  const place = [address, BigInt(bytesOf(tensor)), sizes, shape.length] as const;
  return api.get('CreateTensorWithDataAsOrtValue', device, ...place, DTYPES[dtype].onnx);
}

/** A copy of a value that ONNX Runtime allocated in the process's memory. */
export function copyOfValue(
  { api }: Runtime,
  value: Address,
): { values: HostValues; shape: number[]; dtype: DType } {
  const info = api.get('GetTensorTypeAndShape', value);
  try {
    const type = Number(api.get('GetTensorElementType', info) & 0xffff_ffffn);
    const dtype = (Object.keys(DTYPES) as DType[]).find((each) => DTYPES[each].onnx === type);
    if (!dtype) throw new TypeError(`an output of ONNX element type ${type} cannot be read`);
    const sizes = new BigInt64Array(Number(api.get('GetDimensionsCount', info)));
    if (sizes.length > 0) api.call('GetDimensions', info, sizes, sizes.length);
    const shape = Array.from(sizes, Number);
    const values = arrayFor({ shape, dtype });
    if (values.length > 0) copyFrom(api.get('GetTensorMutableData', value), values);
    return { values, shape, dtype };
  } finally {
    api.release('ReleaseTensorTypeAndShapeInfo', info);
  }
}
