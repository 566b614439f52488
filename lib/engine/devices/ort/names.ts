/** What a session calls its inputs and outputs. */
import { textAt, type Address } from './native.js';
import type { OrtApi } from './ort-api.js';

/** In ONNX Runtime's order, as texts, and where they lie as C texts. */
export interface Names {
  texts: readonly string[];
  addresses: BigUint64Array;
}

/** @param allocator has the C texts, and frees them by `releaseNames` */
export function readNames(
  api: OrtApi,
  allocator: Address,
  session: Address,
): { inputs: Names; outputs: Names } {
  const read = (kind: 'Input' | 'Output'): Names => {
    const length = Number(api.get(`SessionGet${kind}Count`, session));
    const addresses = BigUint64Array.from({ length }, (_, index) =>
      api.get(`SessionGet${kind}Name`, session, index, allocator),
    );
    return { texts: Array.from(addresses, textAt), addresses };
  };
  return { inputs: read('Input'), outputs: read('Output') };
}

export function releaseNames(api: OrtApi, allocator: Address, ...names: Names[]): void {
  for (const { addresses } of names) for (const text of addresses) api.call('AllocatorFree', allocator, text);
}
