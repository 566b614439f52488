/**
 * Rematerialization: what costs little to compute is computed again for the backward pass, and not kept for it from the forward pass (Chen et
 * al. 2016, "Training Deep Nets with Sublinear Memory Cost").
 */
import type { Graph, GraphNode } from './graph.js';
import { memoryPeak, rootsOf } from './peak-memory.js';

/** Operators whose results are computed again: a few operations for a number, where a product takes hundreds. */
const CHEAP = new Set(['Gelu', 'LayerNormalization']);

/**
 * Where a result of a cheap operator is kept over the moment at which a graph takes the most memory, whoever reads it after that reads a copy, which
 * is computed before the first of them; but only where the operator's own inputs are kept until then in any case, as a gradient of it keeps
 * them, or are computed again too. What an output or a later reader sees with another shape stays as it is: its memory is kept anyway. The
 * numbers are the same bits.
 *
 * @returns the graph's nodes with the copies; of a result that nobody reads any more the node is still there
 */
export function rematerialize(graph: Graph): GraphNode[] {
  const peak = memoryPeak(graph).node;
  const producers = new Map(graph.nodes.flatMap((node, index) => node.outputs.map((name) => [name, index])));
  const lastRead = new Map(graph.nodes.flatMap(({ inputs }, index) => inputs.map((name) => [name, index])));
  const isBefore = (name: string): boolean => (producers.get(name) ?? Infinity) <= peak;
  const rootOf = rootsOf(graph);
  const laterViews = graph.nodes
    .slice(peak + 1)
    .flatMap(({ inputs }) => inputs)
    .filter((name) => isBefore(name) && rootOf(name) !== name);
  const kept = new Set([...graph.outputs.map(({ name }) => name), ...laterViews].map(rootOf));
  const copies = new Map<string, string>();
  const newest = (name: string): string => copies.get(name) ?? name;

  const isThere = (name: string, reader: number): boolean =>
    !producers.has(name) || lastRead.get(name)! >= reader;

  /** Copies of the nodes that compute what of these values is kept over the peak, for the node `reader`. */
  function again(names: readonly string[], reader: number): GraphNode[] {
    return names.flatMap((name) => {
      if (!isBefore(name) || copies.has(name) || kept.has(name)) return [];
      const node = graph.nodes[producers.get(name)!];
      if (!CHEAP.has(node.op) || !node.inputs.every((input) => isThere(input, reader))) return [];
      return [...again(node.inputs, reader), copyOf(node)];
    });
  }

  function copyOf(node: GraphNode): GraphNode {
    const made = node.outputs.map((name) => {
      const copy = `${name} again`;
      graph.values.set(copy, { ...graph.values.get(name)!, name: copy });
      copies.set(name, copy);
      return copy;
    });
    return { ...node, inputs: node.inputs.map(newest), outputs: made };
  }

  return graph.nodes.flatMap((node, index) => {
    if (index <= peak) return [node];
    const made = again(node.inputs, index);
    return [...made, { ...node, inputs: node.inputs.map(newest) }];
  });
}
