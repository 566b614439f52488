/**
 * Graph clean-up before writing: aliases instead of nodes that change nothing, no zeros to add to, no factor twice, no node whose result
 * nobody reads, nothing kept for long that costs little to compute again.
 */
import { sameShape, type Graph, type GraphNode } from './graph.js';
import { rematerialize } from './rematerialize.js';

/**
 * Removes identities, copies into outputs, no-op reshapes, chains of reshapes, sums with scattered zeros, second products with a factor and
 * dead nodes, and computes again what `rematerialize` says. Graph outputs keep their names.
 */
export function optimize(graph: Graph): Graph {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const alias = new Map<string, string>();
  const resolve = (name: string): string => alias.get(name) ?? name;
  const producer = new Map<string, GraphNode>();
  const kept: GraphNode[] = [];
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map(resolve);
    const [result] = node.outputs;
    if (node.op === 'Reshape') {
      const source = producer.get(node.inputs[0]);
      if (source?.op === 'Reshape') node.inputs[0] = source.inputs[0];
    }
    if (!outputs.has(result) && changesNothing(node, graph)) {
      alias.set(result, node.inputs[0]);
      continue;
    }
    for (const name of node.outputs) producer.set(name, node);
    kept.push(node);
  }
  const rewritten = takeOutFactors(scatterOntoSums(kept, producer, graph), producer, graph);
  graph.nodes = nameOutputs(removeDead(rewritten, outputs), outputs);
  graph.nodes = removeDead(rematerialize(graph), outputs);
  const used = new Set(graph.nodes.flatMap((node) => node.inputs));
  for (const name of graph.constants.keys()) if (!used.has(name)) graph.constants.delete(name);
  return graph;
}

function changesNothing(node: GraphNode, graph: Graph): boolean {
  const [from] = node.inputs;
  const [to] = node.outputs;
  const before = graph.values.get(from);
  const after = graph.values.get(to);
  if (!before || !after || !sameShape(before.shape, after.shape)) return false;
  switch (node.op) {
    case 'Identity':
    case 'Reshape':
    case 'Expand':
      return true;
    case 'Cast':
      return before.dtype === after.dtype;
    case 'Transpose':
      return (node.attributes.perm as number[]).every((axis, i) => axis === i);
    default:
      return false;
  }
}

/**
 * x + scatter(zeros, ...) becomes scatter(x, ...): the gradient of a tied embedding, which is the output head's and two lookups', is
 * made in one place instead of in three of the embedding's size and two zeros of it, which ONNX Runtime would keep as constants.
 */
function scatterOntoSums(
  nodes: readonly GraphNode[],
  producer: ReadonlyMap<string, GraphNode>,
  graph: Graph,
): GraphNode[] {
  const isZeros = (name: string): boolean => {
    const node = producer.get(name);
    return node?.op === 'Expand' && graph.constants.get(node.inputs[0])?.data[0] === 0;
  };
  return nodes.map((node) => {
    if (node.op !== 'Add') return node;
    for (const [onto, scattered] of [node.inputs, node.inputs.toReversed()]) {
      const scatter = producer.get(scattered);
      if (scatter?.attributes.reduction !== 'add' || !isZeros(scatter.inputs[0])) continue;
      const [before, after] = [onto, node.outputs[0]].map((name) => graph.values.get(name)!.shape);
      if (!sameShape(before, after)) continue;
      const [, indices, updates] = scatter.inputs;
      return { ...scatter, inputs: [onto, indices, updates], outputs: node.outputs };
    }
    return node;
  });
}

/**
 * k * a - k * b, of one number k, becomes k * (a - b): one product and one rounding fewer. A difference of implicit rewards, each a
 * multiple of beta, is such a one; the products fall away where nobody else reads them.
 */
function takeOutFactors(
  nodes: readonly GraphNode[],
  producer: ReadonlyMap<string, GraphNode>,
  graph: Graph,
): GraphNode[] {
  const numberOf = (name: string): number | undefined => {
    const constant = graph.constants.get(name);
    return constant?.dtype === 'float32' && constant.shape.length === 0
      ? Number(constant.data[0])
      : undefined;
  };
  const asProduct = (name: string) => {
    const node = producer.get(name);
    if (node?.op !== 'Mul') return undefined;
    const [first, second] = node.inputs;
    if (numberOf(second) !== undefined) return { of: first, by: second };
    return numberOf(first) === undefined ? undefined : { of: second, by: first };
  };
  return nodes.flatMap((node) => {
    if (node.op !== 'Sub') return [node];
    const [a, b] = node.inputs.map(asProduct);
    if (!a || !b || numberOf(a.by) !== numberOf(b.by)) return [node];
    const [result] = node.outputs;
    const difference = `${result} without its factor`;
    graph.values.set(difference, { ...graph.values.get(result)!, name: difference });
    return [
      { ...node, inputs: [a.of, b.of], outputs: [difference] },
      { ...node, op: 'Mul', inputs: [difference, a.by] },
    ];
  });
}

/** An output that repeats what a node computes is computed there, under its own name, wherever else that is read too. */
function nameOutputs(nodes: readonly GraphNode[], outputs: ReadonlySet<string>): GraphNode[] {
  const computed = new Set(nodes.flatMap((node) => node.outputs));
  const named = new Map<string, string>();
  const isCopy = ({ op, inputs: [from], outputs: [to] }: GraphNode): boolean =>
    op === 'Identity' && outputs.has(to) && computed.has(from);
  // The first copy names the value; others, and copies of inputs, stay.
  for (const node of nodes.filter(isCopy))
    if (!named.has(node.inputs[0])) named.set(node.inputs[0], node.outputs[0]);
  const others = nodes.filter((node) => !isCopy(node) || named.get(node.inputs[0]) !== node.outputs[0]);
  const rename = (name: string) => named.get(name) ?? name;
  return others.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
}

function removeDead(nodes: GraphNode[], outputs: Set<string>): GraphNode[] {
  const needed = new Set(outputs);
  return nodes
    .reverse()
    .filter((node) => {
      if (!node.outputs.some((name) => needed.has(name))) return false;
      for (const input of node.inputs) needed.add(input);
      return true;
    })
    .reverse();
}
