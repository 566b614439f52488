/** Writing nodes that stand for another one, in a graph that is traced. */
import { arrayOf, type DType, type Graph, type GraphNode } from './graph.js';

/** Nodes that compute the result of another one, whose name theirs begin with. */
export class Rewriting {
  readonly nodes: GraphNode[] = [];

  constructor(
    readonly graph: Graph,
    readonly result: string,
  ) {}

  emit(
    op: string,
    inputs: string[],
    name: string,
    shape: readonly number[],
    dtype: DType,
    attributes: GraphNode['attributes'] = {},
  ): string {
    const output = `${this.result} ${name}`;
    this.graph.values.set(output, { name: output, shape: [...shape], dtype });
    this.nodes.push({ op, domain: '', inputs, outputs: [output], attributes });
    return output;
  }

  reshape(x: string, name: string, shape: readonly number[], dtype: DType): string {
    return this.emit('Reshape', [x, this.constant('int64', [shape.length], shape)], name, shape, dtype);
  }

  /** A constant that all of a graph's rewritings share. */
  constant(dtype: DType, shape: readonly number[], values: readonly number[]): string {
    const name = `${dtype} [${shape.join()}] of ${uniform(values) ? values[0] : values.join()}`;
    this.graph.constants.set(name, { name, shape: [...shape], dtype, data: arrayOf(dtype, values) });
    this.graph.values.set(name, { name, shape: [...shape], dtype });
    return name;
  }
}

const uniform = (values: readonly number[]): boolean => values.every((value) => value === values[0]);
