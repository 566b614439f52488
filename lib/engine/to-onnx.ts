/** A TensorFlow.js program as an ONNX model, for devices that run ONNX. */
import './kernels/index.js';
import type { ProgramSource } from './device.js';
import { dtypeOf, DYNAMIC, type Constant, type Graph, type Value } from './graph.js';
import { writeOnnx } from './onnx.js';
import { optimize } from './optimize.js';
import { trace, type InputSpec } from './trace.js';

/**
 * Traces and optimizes a program and writes it. `reads` names the inputs that anything reads, which are those of the model; `operators` are
 * those that it is made of; `apart` are the constants that are not in the model.
 *
 * @param options.rewrite makes of the optimized graph one that suits the device's operators
 * @param options.apartFrom the least bytes of a constant that is lent for it to be left out of the model (`writeOnnx`); default: none is
 * @param options.isOpen whether the inputs' open axes take any size; default false
 */
export function toOnnx(
  { program, inputs, constants }: ProgramSource,
  {
    rewrite = (graph) => graph,
    apartFrom = Infinity,
    isOpen = false,
  }: { rewrite?: (graph: Graph) => Graph; apartFrom?: number; isOpen?: boolean } = {},
): {
  model: Uint8Array<ArrayBuffer>;
  outputs: readonly Value[];
  reads: ReadonlySet<string>;
  operators: ReadonlySet<string>;
  apart: readonly Constant[];
} {
  const traced = trace(program, { ...inputs, ...specsOf(constants) });
  const graph = rewrite(optimize(bindConstants(traced, constants)));
  const used = new Set(graph.nodes.flatMap((node) => node.inputs));
  // ONNX Runtime drops inputs nobody reads; feeding them would be an error.
  const read = graph.inputs.filter(({ name }) => used.has(name));
  const apart = [...graph.constants.values()].filter(
    ({ name, data }) => constants[name]?.memory === 'lent' && data.byteLength >= apartFrom,
  );
  const model = writeOnnx(
    {
      ...graph,
      inputs: read.map((value) => declared(value, inputs[value.name], isOpen)),
      outputs: isOpen ? graph.outputs.map(ofAnySize) : graph.outputs,
    },
    new Set(apart.map(({ name }) => name)),
  );
  return {
    model,
    outputs: graph.outputs,
    reads: new Set(read.map(({ name }) => name)),
    operators: new Set(graph.nodes.map(({ op }) => op)),
    apart,
  };
}

/** Constants as the inputs that a program takes them for. */
export const specsOf = (constants: ProgramSource['constants']): Record<string, InputSpec> =>
  Object.fromEntries(
    Object.entries(constants).map(([name, { shape, data }]) => [name, { shape, dtype: dtypeOf(data) }]),
  );

function bindConstants(graph: Graph, constants: ProgramSource['constants']): Graph {
  for (const [name, { shape, data }] of Object.entries(constants)) {
    graph.constants.set(name, { name, shape, dtype: dtypeOf(data), data });
  }
  return { ...graph, inputs: graph.inputs.filter(({ name }) => !(name in constants)) };
}

/** An input as the model declares it. */
function declared(value: Value, { growingAxis, openAxes = [] }: InputSpec, isOpen: boolean): Value {
  const dynamic = isOpen ? [growingAxis, ...openAxes] : [growingAxis];
  return { ...value, shape: value.shape.map((size, axis) => (dynamic.includes(axis) ? DYNAMIC : size)) };
}

const ofAnySize = (value: Value): Value => ({ ...value, shape: value.shape.map(() => DYNAMIC) });
