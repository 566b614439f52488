/** How much memory a program takes at once for what it computes on the way. */
import { DTYPES, elementCount, type Graph } from './graph.js';

/** Operators whose result is their input seen with another shape. */
const VIEWS = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Identity']);

/** Tells of a value what it is a view of: itself, unless it is another value seen with another shape. */
export function rootsOf({ nodes }: Graph): (name: string) => string {
  const viewed = new Map<string, string>();
  const rootOf = (name: string): string => viewed.get(name) ?? name;
  for (const { op, inputs, outputs } of nodes) if (VIEWS.has(op)) viewed.set(outputs[0], rootOf(inputs[0]));
  return rootOf;
}

/**
 * The most bytes that the results of a graph's nodes take together when nodes run one after the other and each result is freed after its last
 * reader, and the first node at which they do; inputs, constants and outputs are not counted. A runtime that computes in place or fuses nodes
 * takes less, one that divides its memory badly more.
 */
export function memoryPeak(graph: Graph): { bytes: number; node: number } {
  const rootOf = rootsOf(graph);
  const lastRead = new Map<string, number>();
  graph.nodes.forEach(({ inputs }, index) => {
    for (const name of inputs) lastRead.set(rootOf(name), index);
  });
  /** Stands where an operator is not given an input that it may do without. */
  const NOTHING = '';
  const outside = new Set([
    NOTHING,
    ...graph.inputs.map(({ name }) => name),
    ...graph.outputs.map(({ name }) => rootOf(name)),
    ...graph.constants.keys(),
  ]);
  const bytesOf = (name: string): number => {
    const { shape, dtype } = graph.values.get(name)!;
    return elementCount(shape) * DTYPES[dtype].Array.BYTES_PER_ELEMENT;
  };
  let now = 0;
  let peak = { bytes: 0, node: 0 };
  graph.nodes.forEach(({ op, inputs, outputs }, index) => {
    if (!VIEWS.has(op)) for (const name of outputs) if (!outside.has(name)) now += bytesOf(name);
    if (now > peak.bytes) peak = { bytes: now, node: index };
    const done = new Set([...inputs, ...outputs].map(rootOf));
    for (const name of done)
      if (!outside.has(name) && (lastRead.get(name) ?? index) === index) now -= bytesOf(name);
  });
  return peak;
}
