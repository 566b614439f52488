/**
 * Matrix products of whole numbers of 8 bits. Rows are rounded to 8 bits and weights to 7, with a scale for each row and for each output of a
 * weight (the vector-wise quantization of Dettmers et al. 2022, "LLM.int8()", section 3.1, without its way around outliers):
 *
 *     x8[m, k] = round(x[m, k] / row[m]),            row[m] = max over k of |x[m, k]| / 127
 *     w7[n, k] = round(w[n, k] / output[n]),      output[n] = max over k of |w[n, k]| / 64
 *     y[m, n] = row[m] * output[n] * (sum over k of x8[m, k] * w7[n, k]) + bias[n]
 *
 * The sums are exact in int32: a row's result depends neither on the rows beside it, nor on the order of additions, nor on the processor.
 * Weights that are constants are rounded once, as ONNX Runtime folds constants; weights that are fed are rounded in each run.
 */
import { DTYPES, type Graph, type GraphNode } from './graph.js';
import { Rewriting } from './rewriting.js';

/** How a matrix is rounded: how far from zero its numbers reach, and which of them stands for 0. */
interface Rounding {
  steps: number;
  dtype: 'uint8' | 'int8';
  zero: number;
}

/**
 * ONNX Runtime's fast products are those of unsigned by signed numbers. Without VNNI they add two products in 16 bits: with weights of 64 steps
 * these hold them, 2 * 255 * 64 < 2^15.
 */
const ROWS: Rounding = { steps: 127, dtype: 'uint8', zero: 128 };
const WEIGHT: Rounding = { steps: 64, dtype: 'int8', zero: 0 };
/** The least scale, for a row of zeros. */
const LEAST_SCALE = 1e-30;

/**
 * Turns products of rows [M, K] with a weight [N, K], transposed, into products in 8 bits. A weight is a constant or an input that no
 * other node reads: an embedding that is tied to the output head stays float32.
 */
export function quantizeWeights(graph: Graph): Graph {
  const outside = new Set([...graph.constants.keys(), ...graph.inputs.map(({ name }) => name)]);
  const readers = graph.nodes.flatMap(({ inputs }) => inputs);
  const isWeight = (name: string) => outside.has(name) && readers.indexOf(name) === readers.lastIndexOf(name);
  graph.nodes = graph.nodes.flatMap((node) => {
    const { transA, transB } = node.attributes;
    const isLinear = node.op === 'Gemm' && transA === 0 && transB === 1;
    return isLinear && isWeight(node.inputs[1]) ? quantizedProduct(node, graph) : [node];
  });
  return graph;
}

function quantizedProduct(node: GraphNode, graph: Graph): GraphNode[] {
  const [x, weight, bias] = node.inputs;
  const [result] = node.outputs;
  const to = new Rewriting(graph, result);
  const rows = round(to, x, 'rows', ROWS);
  const outputs = round(to, weight, 'outputs', WEIGHT);
  const [m, n, k] = [rows.count, outputs.count, outputs.width];

  const w7 = to.emit('Transpose', [outputs.numbers], 'weight', [k, n], 'int8', { perm: [1, 0] });
  const zeros = [ROWS, WEIGHT].map(({ dtype, zero }) => to.constant(dtype, [], [zero]));
  const sums = to.emit('MatMulInteger', [rows.numbers, w7, ...zeros], 'sums', [m, n], 'int32');
  const product = to.emit('Cast', [sums], 'product', [m, n], 'float32', {
    to: DTYPES.float32.onnx,
  });
  const row = to.reshape(rows.scales, 'row', [m, 1], 'float32');
  const byRow = to.emit('Mul', [product, row], 'by row', [m, n], 'float32');
  const scaled = to.emit('Mul', [byRow, outputs.scales], 'by output', [m, n], 'float32');
  const last = bias ? { op: 'Add', inputs: [scaled, bias] } : { op: 'Identity', inputs: [scaled] };
  return [...to.nodes, { ...last, domain: '', outputs: [result], attributes: {} }];
}

/** A matrix [count, width] as whole numbers, and what a step is worth in each row, [count]. */
function round(to: Rewriting, matrix: string, name: string, { steps, dtype, zero }: Rounding) {
  const [count, width] = to.graph.values.get(matrix)!.shape;
  const sizes = to.emit('Abs', [matrix], `sizes of ${name}`, [count, width], 'float32');
  const axis = { axes: [1], keepdims: 0 };
  const largest = to.emit('ReduceMax', [sizes], `largest of ${name}`, [count], 'float32', axis);
  const share = to.constant('float32', [], [1 / steps]);
  const least = to.constant('float32', [], [LEAST_SCALE]);
  const scaled = to.emit('Mul', [largest, share], `steps of ${name}`, [count], 'float32');
  const scales = to.emit('Max', [scaled, least], `scales of ${name}`, [count], 'float32');
  const inputs = [matrix, scales, to.constant(dtype, [count], Array<number>(count).fill(zero))];
  const shape = [count, width];
  const numbers = to.emit('QuantizeLinear', inputs, `${name} in whole numbers`, shape, dtype, { axis: 0 });
  return { count, width, numbers, scales };
}
