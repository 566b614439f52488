/** A traced program: a list of ONNX nodes in execution order, before it is written as ONNX bytes. */

export type DType = 'float32' | 'int32' | 'int64' | 'bool' | 'uint8' | 'int8';

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
