import { describe, expect, it } from 'vitest';
import { DYNAMIC, type Constant, type Graph, type GraphNode, type Value } from '../../lib/engine/graph.js';
import { writeOnnx } from '../../lib/engine/onnx.js';
import { runGraph } from './run-graph.js';

function graph(parts: {
  inputs?: Value[];
  outputs: Value[];
  nodes: GraphNode[];
  constants?: Constant[];
}): Graph {
  const { inputs = [], constants = [], outputs, nodes } = parts;
  const values = [...inputs, ...constants, ...outputs].map((value) => [value.name, value] as const);
  return {
    inputs,
    outputs,
    nodes,
    constants: new Map(constants.map((constant) => [constant.name, constant])),
    values: new Map(values),
  };
}

const node = (
  op: string,
  inputs: string[],
  attributes: GraphNode['attributes'] = {},
  domain = '',
): GraphNode => ({
  op,
  domain,
  inputs,
  outputs: ['y'],
  attributes,
});

describe('a constant comes back from a session as it was written', () => {
  const large = 2n ** 53n + 1n;
  it.each([
    ['float32', Float32Array.of(1.5, -0, 1e-40, Infinity, 3.4e38, 0.1)],
    ['int32', Int32Array.of(0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 7)],
    ['int64', BigInt64Array.of(0n, -1n, large, -large, 2n ** 62n, 5n)],
    ['bool', Uint8Array.of(1, 0, 0, 1, 1, 0)],
  ] as const)('%s', async (dtype, data) => {
    const shape = [2, 3];
    const written = graph({
      constants: [{ name: 'c', shape, dtype, data }],
      outputs: [{ name: 'y', shape, dtype }],
      nodes: [node('Identity', ['c'])],
    });
    expect((await runGraph(written)).y).toEqual(data);
  });

  it('when it is a part of a larger buffer, a scalar, or empty', async () => {
    const all = Float32Array.of(1, 2, 3, 4);
    const constants = [
      { name: 'part', shape: [2], dtype: 'float32', data: all.subarray(1, 3) },
      { name: 'scalar', shape: [], dtype: 'float32', data: Float32Array.of(5) },
      { name: 'nothing', shape: [0], dtype: 'float32', data: new Float32Array(0) },
    ] as const;
    const written = graph({
      constants: [...constants],
      outputs: [{ name: 'y', shape: [2], dtype: 'float32' }],
      nodes: [
        { ...node('Mul', ['part', 'scalar']), outputs: ['product'] },
        node('Concat', ['product', 'nothing'], { axis: 0 }),
      ],
    });
    expect((await runGraph(written)).y).toEqual(Float32Array.of(10, 15));
  });
});

it('refuses a constant whose values do not fill its shape', () => {
  const constant = { name: 'c', shape: [2, 3], dtype: 'float32' as const, data: new Float32Array(5) };
  const wrong = graph({ constants: [constant], outputs: [], nodes: [] });
  expect(() => writeOnnx(wrong)).toThrow('constant c has 5 values for shape [2,3]');
});

describe('attributes', () => {
  const x: Value = { name: 'x', shape: [3], dtype: 'float32' };
  const y: Value = { name: 'y', shape: [3], dtype: 'float32' };
  const values = Float32Array.of(3, -1, 2);

  it.each([
    ['an integer', node('CumSum', ['x', 'zero'], { reverse: 1 }), [4, 1, 2]],
    ['a float', node('LeakyRelu', ['x'], { alpha: { float: 0.5 } }), [3, -0.5, 2]],
    ['a list of integers', node('Transpose', ['x'], { perm: [0] }), [3, -1, 2]],
    ['a string', node('Pad', ['x', 'pads'], { mode: 'reflect' }), [-1, 3, -1]],
    [
      "an operator of ONNX Runtime's own",
      node('QuickGelu', ['x'], { alpha: { float: 0 } }, 'com.microsoft'),
      [1.5, -0.5, 1],
    ],
  ])('%s', async (_, written, expected) => {
    const constants: Constant[] = [
      { name: 'zero', shape: [], dtype: 'int64', data: BigInt64Array.of(0n) },
      { name: 'pads', shape: [2], dtype: 'int64', data: BigInt64Array.of(1n, -1n) },
    ];
    const model = graph({ inputs: [x], outputs: [y], nodes: [written], constants });
    expect((await runGraph(model, { x: values })).y).toEqual(Float32Array.from(expected));
  });
});

it('leaves an axis open for a run to decide', async () => {
  const open = graph({
    inputs: [{ name: 'x', shape: [DYNAMIC], dtype: 'float32' }],
    outputs: [{ name: 'y', shape: [DYNAMIC], dtype: 'float32' }],
    nodes: [node('Neg', ['x'])],
  });
  for (const data of [Float32Array.of(1), Float32Array.of(1, 2, 3)])
    expect((await runGraph(open, { x: data })).y).toEqual(data.map((value) => -value));
});
