/**
 * Rematerialization: what costs little to compute is computed again for the backward pass, and not kept for it from the forward pass (Chen et
 * al. 2016, "Training Deep Nets with Sublinear Memory Cost").
 */
import type { Graph, GraphNode } from './graph.js';
import { memoryPeak } from './peak-memory.js';

/** Operators whose results are computed again: a few operations for a number, where a product takes hundreds. */
const CHEAP = new Set(['Gelu', 'LayerNormalization']);

/**
 * Where a result of a cheap operator is kept over the moment at which a graph takes the most memory, whoever reads it after that reads a copy, which
 * is computed before the first of them; but only where the operator's own inputs are kept until then in any case, as a gradient of it keeps
 * them. The numbers are the same bits.
 *
 * @returns the graph's nodes with the copies; of a result that nobody reads any more the node is still there
 */
export function rematerialize(graph: Graph): GraphNode[] {
  const peak = memoryPeak(graph).node;
  const producers = new Map(graph.nodes.flatMap((node, index) => node.outputs.map((name) => [name, index])));
  const lastRead = new Map(graph.nodes.flatMap(({ inputs }, index) => inputs.map((name) => [name, index])));
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const copies = new Map<string, string>();

  const isThere = (name: string, reader: number): boolean =>
    !producers.has(name) || lastRead.get(name)! >= reader;

  /** The node whose copy computes for the node `reader` what is kept over the peak. */
  function keptForLong(name: string, reader: number): GraphNode | undefined {
    const producer = producers.get(name) ?? Infinity;
    if (producer > peak || copies.has(name) || outputs.has(name)) return undefined;
    const node = graph.nodes[producer];
    return CHEAP.has(node.op) && node.inputs.every((input) => isThere(input, reader)) ? node : undefined;
  }

  function copyOf(node: GraphNode): GraphNode {
    const made = node.outputs.map((name) => {
      const copy = `${name} again`;
      graph.values.set(copy, { ...graph.values.get(name)!, name: copy });
      copies.set(name, copy);
      return copy;
    });
    return { ...node, outputs: made };
  }

  return graph.nodes.flatMap((node, index) => {
    if (index <= peak) return [node];
    const again = new Set(
      node.inputs.map((name) => keptForLong(name, index)).filter((kept) => kept !== undefined),
    );
    const made = [...again].map(copyOf);
    return [...made, { ...node, inputs: node.inputs.map((name) => copies.get(name) ?? name) }];
  });
}
