/** Tensors that ONNX Runtime has allocated. */
import { DTYPES, elementCount, type Constant, type DType } from '../../graph.js';
import { copyFrom, type Address } from './native.js';
import type { OrtApi } from './ort-api.js';

/** Values of an output in the process's memory. */
export type HostValues = Constant['data'];

export const arrayFor = ({ shape, dtype }: { shape: readonly number[]; dtype: DType }): HostValues =>
  new DTYPES[dtype].Array(elementCount(shape));

/** A copy of a value that ONNX Runtime allocated in the process's memory. */
export function copyOfValue(
  api: OrtApi,
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
