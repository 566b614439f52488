/** What ONNX Runtime's profiles tell. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of a node: "MatMul_12". `provider`: "CUDAExecutionProvider". */
export interface RunNode {
  name: string;
  provider: string;
}

/** Nodes that ran, of all programs whose profiles are in a folder. */
export function nodesThatRan(folder: string): RunNode[] {
  const AFTER_NAME = '_kernel_time';
  return readdirSync(folder).flatMap((file) => {
    const events = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
      name: string;
      args?: { provider?: string };
    }[];
    const ran = events.filter(({ name, args }) => name.endsWith(AFTER_NAME) && args?.provider);
    const providers = new Map(
      ran.map(({ name, args }) => [name.slice(0, -AFTER_NAME.length), args!.provider!]),
    );
    return Array.from(providers, ([name, provider]) => ({ name, provider }));
  });
}
