/** A traced program: a list of ONNX nodes in execution order, before it is written as ONNX bytes. */

/** Element types: their number in ONNX (onnx/onnx.proto, TensorProto.DataType), and the array that holds such elements. */
export const DTYPES = {
  float32: { onnx: 1, Array: Float32Array },
  uint8: { onnx: 2, Array: Uint8Array },
  int8: { onnx: 3, Array: Int8Array },
  int32: { onnx: 6, Array: Int32Array },
  int64: { onnx: 7, Array: BigInt64Array },
  bool: { onnx: 9, Array: Uint8Array },
} as const;

export type DType = keyof typeof DTYPES;

/** The element type of values in ordinary memory. */
export const dtypeOf = (data: Float32Array | Int32Array): 'float32' | 'int32' =>
  data instanceof Float32Array ? 'float32' : 'int32';

/** Numbers as elements of a type. */
export function arrayOf(dtype: DType, values: readonly number[]): Constant['data'] {
  return dtype === 'int64' ? BigInt64Array.from(values, BigInt) : DTYPES[dtype].Array.from(values);
}

/** The size of an axis that only a run decides; for inputs and outputs of graphs that are not traced. */
export const DYNAMIC = -1;

export interface Value {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** An integer, a float (`{ float }`), a list of integers or a string, as ONNX attributes are. */
export type Attribute = number | { float: number } | readonly number[] | string;

export interface GraphNode {
  readonly op: string;
  /** Empty for the standard operators, "com.microsoft" for ONNX Runtime's own. */
  readonly domain: string;
  inputs: string[];
  readonly outputs: string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A constant; `data` of one element stands for a tensor filled with it. */
export interface Constant extends Value {
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array | Int8Array;
}

export interface Graph {
  readonly inputs: Value[];
  outputs: Value[];
  nodes: GraphNode[];
  readonly constants: Map<string, Constant>;
  /** Shape and type of every value by name, constants and inputs included. */
  readonly values: Map<string, Value>;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
