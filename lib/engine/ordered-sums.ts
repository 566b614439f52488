/**
 * Sums in one order, for devices that add in parallel. Where ONNX Runtime adds on a GPU by atomic additions, in whatever order its threads
 * come, two runs give other bits. Two operators do: a scatter that adds (the gradient of an embedding: rows of updates added at the rows
 * that their ids name), and a sum over the first axes (the gradient of a bias). Here they become matrix products, which add in an order of
 * their own; sums over the last axes are ordered as they are.
 *
 *     sum over rows: ones [1, M] * x [M, N]
 *
 *     scatter: same[i, j] = 1 where ids[i] = ids[j], else 0           [N, N]
 *              sums = same * updates: each row has all of its id      [N, D]
 *              first[i] = the least j with ids[j] = ids[i]
 *              rows = data[ids] + sums[first], scattered without adding: rows of one id are equal to the bit, so that it does not matter
 *              which of them is written last
 *
 * A scatter costs 2 N N D operations and a matrix of N N. Where matrix products round their factors (TF32), what is added is rounded so.
 * Scatters along another axis stay: those of label-ops.ts add one number at most at each place.
 */
import { DTYPES, elementCount, type Graph, type GraphNode } from './graph.js';
import { Rewriting } from './rewriting.js';

/** Replaces what adds float32 numbers in no order. Whole numbers are the same in any. */
export function orderSums(graph: Graph): Graph {
  graph.nodes = graph.nodes.flatMap((node) => {
    if (addsRows(node, graph)) return orderedScatter(node, graph);
    const rows = reducedRows(node, graph);
    return rows === undefined ? [node] : orderedReduction(node, rows, graph);
  });
  return graph;
}

/** Whether no float32 numbers are added in no order. */
export const hasOrderedSums = (graph: Graph): boolean =>
  !graph.nodes.some((node) => addsRows(node, graph) || reducedRows(node, graph) !== undefined);

const isFloat = (name: string, graph: Graph): boolean => graph.values.get(name)!.dtype === 'float32';

const addsRows = ({ op, attributes, inputs }: GraphNode, graph: Graph): boolean =>
  op === 'ScatterElements' &&
  attributes.reduction === 'add' &&
  attributes.axis === 0 &&
  isFloat(inputs[2], graph);

function orderedScatter(scatter: GraphNode, graph: Graph): GraphNode[] {
  const [data, indices, updates] = scatter.inputs;
  const { shape } = graph.values.get(updates)!;
  const [count] = shape;
  const width = elementCount(shape.slice(1));
  const square = [count, count];
  const to = new Rewriting(graph, scatter.outputs[0]);

  const ids = idsOf(indices, width, graph);
  const down = to.reshape(ids, 'ids down', [count, 1], 'int32');
  const across = to.reshape(ids, 'ids across', [1, count], 'int32');
  const equal = to.emit('Equal', [down, across], 'equal', square, 'bool');
  const same = to.emit('Cast', [equal], 'same', square, 'float32', { to: DTYPES.float32.onnx });
  const matrix = to.reshape(updates, 'updates', [count, width], 'float32');
  const sums = to.emit('MatMul', [same, matrix], 'sums', [count, width], 'float32');
  // float32 holds whole numbers up to 2^24 exactly.
  const numbers = to.constant(
    'float32',
    [1, count],
    Array.from({ length: count }, (_, i) => i),
  );
  const beyond = to.constant('float32', [], [count]);
  const places = to.emit('Where', [equal, numbers, beyond], 'places', square, 'float32');
  const least = to.emit('ReduceMin', [places], 'least', [count], 'float32', { axes: [1], keepdims: 0 });
  const first = to.emit('Cast', [least], 'first', [count], 'int32', { to: DTYPES.int32.onnx });
  const added = to.emit('Gather', [sums, first], 'sums of the first', [count, width], 'float32', { axis: 0 });
  const flat = to.reshape(ids, 'ids', [count], 'int32');
  const before = to.emit('Gather', [data, flat], 'before', shape, 'float32', { axis: 0 });
  const after = to.reshape(added, 'added', shape, 'float32');
  const rows = to.emit('Add', [before, after], 'rows', shape, 'float32');
  const { reduction: _, ...attributes } = scatter.attributes;
  return [...to.nodes, { ...scatter, inputs: [data, indices, rows], attributes }];
}

/** Ids of the rows: the scatter is given each as often as a row is wide. */
function idsOf(indices: string, width: number, graph: Graph): string {
  const producer = graph.nodes.find(({ outputs }) => outputs.includes(indices));
  if (producer?.op === 'Expand') return producer.inputs[0];
  if (width === 1) return indices;
  throw new TypeError('a scatter that adds has indices that are not those of rows');
}

/** Rows that a sum or a mean is over, where it is over the first axes (those of size 1 aside) or over all; else undefined. */
function reducedRows({ op, inputs, attributes }: GraphNode, graph: Graph): number | undefined {
  if ((op !== 'ReduceSum' && op !== 'ReduceMean') || !isFloat(inputs[0], graph)) return undefined;
  const { shape } = graph.values.get(inputs[0])!;
  const axes =
    op === 'ReduceSum'
      ? Array.from(graph.constants.get(inputs[1])!.data as BigInt64Array, Number)
      : (attributes.axes as readonly number[]);
  const sizes = shape.flatMap((size, axis) => (size === 1 ? [] : [{ size, reduced: axes.includes(axis) }]));
  const reduced = sizes.filter((axis) => axis.reduced);
  const areFirst = sizes.every((axis, index) => axis.reduced === index < reduced.length);
  return reduced.length > 0 && areFirst ? elementCount(reduced.map(({ size }) => size)) : undefined;
}

function orderedReduction(node: GraphNode, rows: number, graph: Graph): GraphNode[] {
  const [result] = node.outputs;
  const { shape } = graph.values.get(result)!;
  const columns = elementCount(shape);
  const to = new Rewriting(graph, result);
  const matrix = to.reshape(node.inputs[0], 'rows', [rows, columns], 'float32');
  const ones = to.constant('float32', [1, rows], Array<number>(rows).fill(1));
  let sums = to.emit('MatMul', [ones, matrix], 'sums', [1, columns], 'float32');
  if (node.op === 'ReduceMean') {
    const count = to.constant('float32', [], [rows]);
    sums = to.emit('Div', [sums, count], 'means', [1, columns], 'float32');
  }
  const inputs = [sums, to.constant('int64', [shape.length], shape)];
  return [...to.nodes, { op: 'Reshape', domain: '', inputs, outputs: [result], attributes: {} }];
}
