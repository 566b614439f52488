/** Puts ONNX models of networks that score together, from weights as PyTorch keeps them. */
import type { Attribute, Graph } from '../engine/graph.js';
import { gatesOfTorch } from '../engine/index.js';

/** Looks a float32 weight up by name, and checks its shape. */
export type Weights = (name: string, shape: readonly number[]) => Float32Array;

const EPSILON = 1e-5;

export type Builder = ReturnType<typeof createBuilder>;

export function createBuilder(weights: Weights) {
  const graph: Graph = { inputs: [], outputs: [], nodes: [], constants: new Map(), values: new Map() };
  const constant = (
    data: Float32Array | Int32Array | BigInt64Array,
    dtype: 'float32' | 'int32' | 'int64',
    shape: readonly number[],
  ) => {
    const name = `constant${graph.constants.size}`;
    graph.constants.set(name, { name, shape, dtype, data });
    return name;
  };
  return {
    graph,
    weights,
    /** Appends an operator with one output, whose name is returned. */
    node(
      op: string,
      inputs: string[],
      attributes: Record<string, Attribute> = {},
      output = `${op}${graph.nodes.length}`,
    ): string {
      graph.nodes.push({ op, domain: '', inputs, outputs: [output], attributes });
      return output;
    },
    floats: (data: Float32Array, shape: readonly number[]) => constant(data, 'float32', shape),
    int32s: (values: number[]) => constant(Int32Array.from(values), 'int32', [values.length]),
    /** A constant of int64, the type of ONNX's axes and positions. */
    ints: (values: number[]) => constant(BigInt64Array.from(values, BigInt), 'int64', [values.length]),
  };
}

export function linear(
  builder: Builder,
  x: string,
  prefix: string,
  inputs: number,
  outputs: number,
  output?: string,
): string {
  return affine(builder, x, [`${prefix}.weight`, `${prefix}.bias`], [inputs, outputs], output);
}

/** x W^T + b, with W [outputs, inputs] as PyTorch keeps it. */
export function affine(
  builder: Builder,
  x: string,
  [weight, bias]: [string, string],
  [inputs, outputs]: [number, number],
  output?: string,
): string {
  const source = builder.weights(weight, [outputs, inputs]);
  const transposed = Float32Array.from(
    source,
    (_, i) => source[(i % outputs) * inputs + Math.floor(i / outputs)],
  );
  const product = builder.node('MatMul', [x, builder.floats(transposed, [inputs, outputs])]);
  const shift = builder.floats(builder.weights(bias, [outputs]), [outputs]);
  return builder.node('Add', [product, shift], {}, output);
}

export function layerNorm(builder: Builder, x: string, prefix: string, width: number): string {
  const parameters = [`${prefix}.weight`, `${prefix}.bias`].map((name) =>
    builder.floats(builder.weights(name, [width]), [width]),
  );
  return builder.node('LayerNormalization', [x, ...parameters], { axis: -1, epsilon: { float: EPSILON } });
}

/**
 * The weights of an LSTM's layer in ONNX's order, its directions one after the other: [directions, 4 units, inputs], [directions, 4 units,
 * units] and [directions, 8 units].
 *
 * @param suffixes of its weights' names: `_l0`, and for the other direction `_l0_reverse`
 */
export function lstmWeights(
  builder: Builder,
  prefix: string,
  suffixes: readonly string[],
  inputs: number,
  units: number,
): string[] {
  const parts = suffixes.map((suffix) => {
    const take = (part: string, ...shape: number[]) => {
      const weights = builder.weights(`${prefix}.${part}${suffix}`, shape);
      return gatesOfTorch(weights, weights.length / 4);
    };
    return {
      input: take('weight_ih', 4 * units, inputs),
      state: take('weight_hh', 4 * units, units),
      bias: [...take('bias_ih', 4 * units), ...take('bias_hh', 4 * units)],
    };
  });
  const joined = (part: keyof (typeof parts)[number], ...shape: number[]) =>
    builder.floats(Float32Array.from(parts.flatMap((each) => [...each[part]])), [parts.length, ...shape]);
  return [joined('input', 4 * units, inputs), joined('state', 4 * units, units), joined('bias', 8 * units)];
}
