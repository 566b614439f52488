/**
 * Writes a graph as an ONNX model (the protobuf schema of github.com/onnx/onnx, onnx/onnx.proto; only the fields used here).
 */
import protobuf from 'protobufjs';
import {
  DTYPES,
  DYNAMIC,
  elementCount,
  type Attribute,
  type Constant,
  type Graph,
  type GraphNode,
  type Value,
} from './graph.js';

/** Protobuf, in which ONNX models are written, counts with 31 bits. */
const MOST_BYTES = 2 ** 31 - 1;

/** Opset 17 is the first with LayerNormalization; IR version 8 belongs to it. */
const OPSET = 17;
const IR_VERSION = 8;

const SCHEMA = `
syntax = "proto3";
message AttributeProto { string name = 1; float f = 2; int64 i = 3; bytes s = 4; repeated int64 ints = 8; int32 type = 20; }
message NodeProto {
  repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
  repeated AttributeProto attribute = 5; string domain = 7;
}
message StringStringEntryProto { string key = 1; string value = 2; }
message TensorProto {
  repeated int64 dims = 1; int32 data_type = 2; string name = 8;
  repeated StringStringEntryProto external_data = 13; int32 data_location = 14;
}
message Dimension { int64 dim_value = 1; }
message TensorShapeProto { repeated Dimension dim = 1; }
message TensorTypeProto { int32 elem_type = 1; TensorShapeProto shape = 2; }
message TypeProto { TensorTypeProto tensor_type = 1; }
message ValueInfoProto { string name = 1; TypeProto type = 2; }
message GraphProto {
  repeated NodeProto node = 1; string name = 2;
  repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
}
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
message ModelProto { int64 ir_version = 1; string producer_name = 2; repeated OperatorSetIdProto opset_import = 8; }
`;

const schema = protobuf.parse(SCHEMA, { keepCase: true }).root;

/** Fields that carry weights are put together by hand (`field`), so that their bytes are copied once, into the result. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR_RAW_DATA = 9;

/** Of where a tensor's data is: not in the model. */
const EXTERNAL = 1;

/**
 * The bytes of an ONNX model that computes `graph`.
 *
 * @param apart constants whose values are left out: whoever opens the model gives them by their names (AddExternalInitializers)
 * @throws Error when the others make it larger than 2 GiB
 */
export function writeOnnx(graph: Graph, apart: ReadonlySet<string> = new Set()): Uint8Array<ArrayBuffer> {
  const model = encode('ModelProto', {
    ir_version: IR_VERSION,
    producer_name: 'speech-dpo',
    opset_import: [
      { domain: '', version: OPSET },
      { domain: 'com.microsoft', version: 1 },
    ],
  });
  const structure = encode('GraphProto', {
    name: 'traced',
    // Backwards: ONNX Runtime looks for an order of its own, from the last result that nothing else reads, with all that this needs, to the
    // first. Written in order, the gradients of all weights would come after the last of the activations, which they would keep alive.
    node: graph.nodes.map(nodeProto).toReversed(),
    input: graph.inputs.map(valueInfo),
    output: graph.outputs.map(valueInfo),
  });
  const initializers = [...graph.constants.values()].flatMap((constant) =>
    field(GRAPH_INITIALIZER, initializer(constant, apart.has(constant.name))),
  );
  return joined([model, ...field(MODEL_GRAPH, [structure, ...initializers])]);
}

function encode(message: string, content: Record<string, unknown>): Uint8Array {
  return schema.lookupType(message).encode(content).finish();
}

/** A length-delimited protobuf field whose content is given in parts. */
function field(number: number, content: readonly Uint8Array[]): Uint8Array[] {
  const byteLength = content.reduce((total, part) => total + part.byteLength, 0);
  const LENGTH_DELIMITED = 2;
  const head = protobuf.Writer.create()
    .uint32((number << 3) | LENGTH_DELIMITED)
    .uint32(byteLength);
  return [head.finish(), ...content];
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const byteLength = parts.reduce((total, part) => total + part.byteLength, 0);
  if (byteLength > MOST_BYTES) {
    const gigabytes = (byteLength / 2 ** 30).toFixed(2);
    throw new Error(
      `a program with its weights takes ${gigabytes} GiB, but ONNX Runtime reads models of up to 2 GiB: the model is too large`,
    );
  }
  const bytes = new Uint8Array(byteLength);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}

function attribute(name: string, value: Attribute) {
  if (typeof value === 'number') return { name, type: 2, i: value };
  if (typeof value === 'string') return { name, type: 3, s: Buffer.from(value) };
  if ('float' in value) return { name, type: 1, f: value.float };
  return { name, type: 7, ints: value };
}

function nodeProto({ op, domain, inputs, outputs, attributes }: GraphNode, index: number) {
  return {
    name: `${op}_${index}`,
    op_type: op,
    domain,
    input: inputs,
    output: outputs,
    attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  };
}

function initializer(constant: Constant, isApart: boolean): Uint8Array[] {
  const { name, shape, dtype, data } = constant;
  const count = elementCount(shape);
  if (data.length === 0 && count > 0)
    throw new TypeError(
      `constant ${name} is empty, but has the shape [${shape}]: its memory is freed, as that of one that was given to another program`,
    );
  const full = data.length === count ? data : data.slice(0, 1);
  if (full.length !== count)
    throw new TypeError(`constant ${name} has ${data.length} values for shape [${shape}]`);
  const described = { name, dims: shape, data_type: DTYPES[dtype].onnx };
  if (isApart) {
    // ONNX Runtime asks for a place, and does not look there for what it is given.
    const external_data = [{ key: 'location', value: name }];
    return [encode('TensorProto', { ...described, external_data, data_location: EXTERNAL })];
  }
  const bytes = new Uint8Array(full.buffer, full.byteOffset, full.byteLength);
  return [encode('TensorProto', described), ...field(TENSOR_RAW_DATA, [bytes])];
}

function valueInfo({ name, shape, dtype }: Value) {
  return {
    name,
    type: {
      tensor_type: {
        elem_type: DTYPES[dtype].onnx,
        shape: { dim: shape.map((size) => (size === DYNAMIC ? {} : { dim_value: size })) },
      },
    },
  };
}
