/** Reads the weights of an ONNX model (the protobuf schema of github.com/onnx/onnx, onnx/onnx.proto; only the fields used here). */
import protobuf from 'protobufjs';
import type { Weights } from './onnx-builder.js';

const SCHEMA = `
syntax = "proto3";
message TensorProto { repeated int64 dims = 1; int32 data_type = 2; repeated float float_data = 4; string name = 8; bytes raw_data = 9; }
message GraphProto { repeated TensorProto initializer = 5; }
message ModelProto { GraphProto graph = 7; }
`;
const FLOAT32 = 1;

const ModelProto = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('ModelProto');

interface Initializer {
  dims: (number | { toNumber(): number })[];
  data_type: number;
  float_data: number[];
  raw_data: Uint8Array;
  name: string;
}

/**
 * The float32 weights of an ONNX model, by name.
 *
 * @throws Error when the bytes are no ONNX model; the lookup throws one when a weight is missing or of another shape
 */
export function readOnnxWeights(bytes: Uint8Array): Weights {
  const { graph } = ModelProto.decode(bytes) as unknown as { graph?: { initializer: Initializer[] } };
  const weights = new Map((graph?.initializer ?? []).map((weight) => [weight.name, weight]));
  return (name, shape) => {
    const weight = weights.get(name);
    const dims = weight?.dims.map(Number) ?? [];
    if (weight?.data_type !== FLOAT32 || dims.join() !== shape.join()) {
      const found = weight ? `of type ${weight.data_type}, [${dims.join(', ')}]` : 'missing';
      throw new Error(`its weight "${name}" is ${found}; expected float32 [${shape.join(', ')}]`);
    }
    // Bytes of a file begin anywhere, floats at multiples of four.
    if (weight.raw_data.length > 0) return new Float32Array(Uint8Array.from(weight.raw_data).buffer);
    return Float32Array.from(weight.float_data);
  };
}
