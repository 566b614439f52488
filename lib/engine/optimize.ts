/** Graph clean-up before writing: aliases instead of nodes that change nothing, and no node whose result nobody reads. */
import { sameShape, type Graph, type GraphNode } from './graph.js';

/** Removes identities, no-op reshapes, chains of reshapes and dead nodes. Graph outputs keep their names. */
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
  graph.nodes = removeDead(kept, outputs);
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
