import type { Graph } from '../../lib/engine/graph.js';
import { defaultHost, type HostArray } from '../../lib/engine/index.js';
import { writeOnnx } from '../../lib/engine/onnx.js';

/** Runs a graph as it is, without optimizing it. */
export async function runGraph(
  graph: Graph,
  feeds: Readonly<Record<string, HostArray>> = {},
): Promise<Record<string, HostArray>> {
  const host = defaultHost();
  const session = await host.call('createSession', writeOnnx(graph), 1);
  const inputs = Object.fromEntries(
    graph.inputs.map(({ name, shape }) => [
      name,
      { data: feeds[name], shape: shape.map((size) => (size < 0 ? feeds[name].length : size)) },
    ]),
  );
  const results = await host.call('run', session, inputs, {});
  await host.call('releaseSession', session);
  return results;
}
