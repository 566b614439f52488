/** Tensors outside the engine: whole in ordinary memory, or to be read when asked for. */

/** A tensor of 32-bit floats in row-major order. */
export interface FloatTensor {
  shape: number[];
  dtype: 'float32';
  data: Float32Array;
}

/** A tensor of 64-bit integers in row-major order. */
export interface IntegerTensor {
  shape: number[];
  dtype: 'int64';
  data: BigInt64Array;
}

/** A tensor in ordinary memory. */
export type HostTensor = FloatTensor | IntegerTensor;

/** A tensor whose data is elsewhere: in a file, or in the engine's memory. */
export interface DeferredTensor {
  shape: number[];
  dtype: HostTensor['dtype'];
  /** A copy of the data, which may be freed before the next tensor is read. */
  read(): Promise<HostTensor['data']>;
}
