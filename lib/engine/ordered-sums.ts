/**
 * Sums in one order for devices that add in parallel. A scatter that adds (the gradient of an embedding: rows of updates added at the rows
 * that their ids name) is done there by atomic additions, in whatever order the threads come: other bits in every run. Here it becomes
 * operators that add in an order of their own:
 *
 *     same[i, j] = 1 where ids[i] = ids[j], else 0           [N, N]
 *     sums = same * updates: each row has all of its id       [N, D], one matrix product
 *     first[i] = the least j with ids[j] = ids[i]
 *     rows = data[ids] + sums[first], scattered without adding: rows of one id are equal to the bit, so that it does not matter which
 *     of them is written last.
 *
 * It costs 2 N N D operations and a matrix of N N. Where matrix products round their factors (TF32), updates are rounded like those.
 * Scatters along another axis than the first stay: those of label-ops.ts add one number at most at each place.
 */
import { elementCount, type DType, type Graph, type GraphNode } from './graph.js';

/** Replaces scatters that add rows of float32 at the first axis. Whole numbers are the same in any order. */
export function orderSums(graph: Graph): Graph {
  const addsRows = ({ op, attributes, inputs: [, , updates] }: GraphNode) =>
    op === 'ScatterElements' &&
    attributes.reduction === 'add' &&
    attributes.axis === 0 &&
    graph.values.get(updates)!.dtype === 'float32';
  graph.nodes = graph.nodes.flatMap((node) => (addsRows(node) ? ordered(node, graph) : [node]));
  return graph;
}

function ordered(scatter: GraphNode, graph: Graph): GraphNode[] {
  const [data, indices, updates] = scatter.inputs;
  const [result] = scatter.outputs;
  const { shape } = graph.values.get(updates)!;
  const [count] = shape;
  const width = elementCount(shape.slice(1));
  const nodes: GraphNode[] = [];
  const declare = (name: string, of: readonly number[], dtype: DType): string => {
    const full = `${result} ${name}`;
    graph.values.set(full, { name: full, shape: [...of], dtype });
    return full;
  };
  const constant = (name: string, of: readonly number[], dtype: 'int64' | 'float32', values: number[]) => {
    const full = declare(name, of, dtype);
    const array = dtype === 'int64' ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
    graph.constants.set(full, { name: full, shape: [...of], dtype, data: array });
    return full;
  };
  const emit = (
    op: string,
    inputs: string[],
    name: string,
    of: readonly number[],
    dtype: DType,
    attributes: GraphNode['attributes'] = {},
  ): string => {
    const output = declare(name, of, dtype);
    nodes.push({ op, domain: '', inputs, outputs: [output], attributes });
    return output;
  };
  const reshape = (x: string, name: string, of: readonly number[], dtype: DType) =>
    emit('Reshape', [x, constant(`shape of ${name}`, [of.length], 'int64', [...of])], name, of, dtype);

  const ids = firstColumn(indices);
  const [column, row] = [reshape(ids, 'ids down', [count, 1], 'int32'), reshape(ids, 'ids across', [1, count], 'int32')]; // prettier-ignore
  const equal = emit('Equal', [column, row], 'equal', [count, count], 'bool');
  const same = emit('Cast', [equal], 'same', [count, count], 'float32', { to: 1 });
  const sums = emit('MatMul', [same, reshape(updates, 'updates', [count, width], 'float32')], 'sums', [count, width], 'float32'); // prettier-ignore
  // float32 holds whole numbers up to 2^24 exactly.
  const numbers = constant(
    'numbers',
    [1, count],
    'float32',
    Array.from({ length: count }, (_, i) => i),
  );
  const beyond = constant('beyond', [], 'float32', [count]);
  const places = emit('Where', [equal, numbers, beyond], 'places', [count, count], 'float32');
  const least = emit('ReduceMin', [places], 'least', [count], 'float32', { axes: [1], keepdims: 0 });
  const first = emit('Cast', [least], 'first', [count], 'int32', { to: 6 });
  const ofFirst = emit('Gather', [sums, first], 'sums of the first', [count, width], 'float32', { axis: 0 });
  const before = emit('Gather', [data, reshape(ids, 'ids', [count], 'int32')], 'before', shape, 'float32', { axis: 0 }); // prettier-ignore
  const rows = emit('Add', [before, reshape(ofFirst, 'added', shape, 'float32')], 'rows', shape, 'float32');
  const { reduction: _, ...attributes } = scatter.attributes;
  return [...nodes, { ...scatter, inputs: [data, indices, rows], attributes }];

  /** Ids of the rows: the scatter is given each as often as a row is wide. */
  function firstColumn(expanded: string): string {
    const producer = graph.nodes.find(({ outputs }) => outputs.includes(expanded));
    if (producer?.op === 'Expand') return producer.inputs[0];
    if (width === 1) return expanded;
    throw new TypeError('a scatter that adds has indices that are not those of rows');
  }
}
