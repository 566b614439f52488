/**
 * Operators that ONNX Runtime's WebGPU provider lacks, written with those that it has. Left in a graph they would be computed on the CPU,
 * and every tensor around them would cross to ordinary memory and back.
 */
import type { Attribute, Graph, GraphNode } from '../../graph.js';

/** The graph with FusedMatMul as Transpose and MatMul, and LogSoftmax as x - max - log(sum(exp(x - max))). */
export function withoutMissingOperators(graph: Graph): Graph {
  return {
    ...graph,
    constants: new Map([...graph.constants, [LAST_AXIS, lastAxis]]),
    nodes: graph.nodes.flatMap((node) => {
      if (node.op === 'FusedMatMul') return transposeAndMultiply(node, graph);
      if (node.op === 'LogSoftmax') return subtractLogSum(node);
      return [node];
    }),
  };
}

const LAST_AXIS = 'the last axis';
const lastAxis = { name: LAST_AXIS, shape: [1], dtype: 'int64', data: BigInt64Array.of(-1n) } as const;

const standardNode = (
  op: string,
  inputs: string[],
  output: string,
  attributes: Record<string, Attribute> = {},
): GraphNode => ({ op, domain: '', inputs, outputs: [output], attributes });

/** FusedMatMul's transBatch moves the first axis behind the batch's, then trans swaps the last two. */
function transposeAndMultiply({ inputs, outputs, attributes }: GraphNode, graph: Graph): GraphNode[] {
  const before: GraphNode[] = [];
  const factors = inputs.map((input, index) => {
    const side = 'AB'[index];
    const rank = graph.values.get(input)!.shape.length;
    const perm = [...Array(rank).keys()];
    if (attributes[`transBatch${side}`] === 1) perm.splice(rank - 2, 0, perm.shift()!);
    if (attributes[`trans${side}`] === 1) perm.push(...perm.splice(rank - 2, 1));
    if (perm.every((axis, place) => axis === place)) return input;
    const transposed = `${input} transposed for ${outputs[0]}`;
    before.push(standardNode('Transpose', [input], transposed, { perm }));
    return transposed;
  });
  return [...before, standardNode('MatMul', factors, outputs[0])];
}

/** Along the last axis, as `logSoftmax` (label-ops.ts) asks for. */
function subtractLogSum({ inputs: [x], outputs: [y] }: GraphNode): GraphNode[] {
  const [most, shifted, powers, sum, log] = ['max', 'shifted', 'exp', 'sum', 'log'].map(
    (part) => `${part} of ${y}`,
  );
  return [
    standardNode('ReduceMax', [x], most, { axes: [-1], keepdims: 1 }),
    standardNode('Sub', [x, most], shifted),
    standardNode('Exp', [shifted], powers),
    standardNode('ReduceSum', [powers, LAST_AXIS], sum, { keepdims: 1 }),
    standardNode('Log', [sum], log),
    standardNode('Sub', [shifted, log], y),
  ];
}
