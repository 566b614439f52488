import type { Graph } from '../../lib/engine/graph.js';
import type { HostArray } from '../../lib/engine/index.js';
import { writeOnnx } from '../../lib/engine/onnx.js';
import { device } from '../support/device.js';

/** Runs a graph as it is, without optimizing it. */
export async function runGraph(
  graph: Graph,
  feeds: Readonly<Record<string, HostArray>> = {},
): Promise<Record<string, HostArray>> {
  const session = await device.load(writeOnnx(graph));
  const inputs = Object.fromEntries(
    graph.inputs.map(({ name, shape }) => [
      name,
      { data: feeds[name], shape: shape.map((size) => (size < 0 ? feeds[name].length : size)) },
    ]),
  );
  const results = await device.run(session, inputs, {});
  await device.unload(session);
  return results;
}
