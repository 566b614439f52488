/**
 * `compile`: a TensorFlow.js program becomes an async function on typed arrays.
 *
 *     const f = await compile(({ x, w }) => ({ y: tf.matMul(x, w) }), { x: { shape: [2, 3], dtype: 'float32' }, ... });
 *     const { y } = await f({ x: new Float32Array(6), w });
 */
import type { Tensor } from '@tensorflow/tfjs';
import './kernels/index.js';
import { DYNAMIC, elementCount, type Graph, type Value } from './graph.js';
import { defaultHost, type EngineHost } from './host.js';
import { writeOnnx } from './onnx.js';
import { optimize } from './optimize.js';
import type { Feed, HostArray, Resident } from './protocol.js';
import { trace, type InputSpec, type TensorProgram } from './trace.js';
import { tf } from './tf.js';

export interface CompileOptions {
  /** "onnx" (default): traced once, run by ONNX Runtime in a worker thread. "eager": run op by op on TensorFlow.js's current backend. */
  engine?: 'onnx' | 'eager';
  /** Inputs whose values never change, such as a policy's weights while it is sampled: ONNX Runtime packs them for its kernels. */
  constants?: Readonly<Record<string, { shape: readonly number[]; data: HostArray }>>;
  host?: EngineHost;
}

export interface Compiled {
  /**
   * Runs the program. `feeds` has every input that is not a constant, as an array or as a tensor that lives in the worker.
   * Outputs named in `into` are written there and left out of the result.
   * @throws if an input is missing, unknown, or of another size than declared
   */
  (
    feeds: Readonly<Record<string, HostArray | Resident>>,
    into?: Readonly<Record<string, Resident>>,
  ): Promise<Record<string, HostArray>>;
  readonly outputs: readonly Value[];
  /** The session in the worker, for a loop that runs there (`EngineHost.stream`); an eager program has none. */
  readonly session?: number;
  dispose(): Promise<void>;
}

export async function compile(
  program: TensorProgram,
  inputs: Readonly<Record<string, InputSpec>>,
  options: CompileOptions = {},
): Promise<Compiled> {
  const constants = options.constants ?? {};
  const constantSpecs = Object.fromEntries(
    Object.entries(constants).map(([name, { shape, data }]) => [name, { shape, dtype: dtypeOf(data) }]),
  );
  if (options.engine === 'eager') return eager(program, inputs, constants);
  const graph = optimize(bindConstants(trace(program, { ...inputs, ...constantSpecs }), constants));
  const used = new Set(graph.nodes.flatMap((node) => node.inputs));
  const host = options.host ?? defaultHost();
  // ONNX Runtime drops inputs nobody reads; feeding them would be an error.
  const read = graph.inputs.filter(({ name }) => used.has(name));
  const model = writeOnnx({
    ...graph,
    inputs: read.map((value) => withGrowingAxis(value, inputs[value.name])),
  });
  const session = await host.createSession(model);
  const run = async (
    feeds: Readonly<Record<string, HostArray | Resident>>,
    into: Readonly<Record<string, Resident>> = {},
  ) => {
    const checked = checkFeeds(feeds, inputs);
    const fed = Object.fromEntries(Object.entries(checked).filter(([name]) => used.has(name)));
    return host.call('run', session, fed, { ...into });
  };
  const dispose = () => host.release('releaseSession', session);
  return Object.assign(run, { outputs: graph.outputs, session, dispose });
}

/** The optimized graph `compile` would run; for inspection and tests. */
export function traceGraph(program: TensorProgram, inputs: Readonly<Record<string, InputSpec>>): Graph {
  return optimize(trace(program, inputs));
}

const dtypeOf = (data: HostArray): 'float32' | 'int32' =>
  data instanceof Float32Array ? 'float32' : 'int32';

function bindConstants(graph: Graph, constants: NonNullable<CompileOptions['constants']>): Graph {
  for (const [name, { shape, data }] of Object.entries(constants)) {
    graph.constants.set(name, { name, shape, dtype: dtypeOf(data), data });
  }
  return { ...graph, inputs: graph.inputs.filter(({ name }) => !(name in constants)) };
}

function withGrowingAxis(value: Value, { growingAxis }: InputSpec): Value {
  return { ...value, shape: value.shape.map((size, axis) => (axis === growingAxis ? DYNAMIC : size)) };
}

function checkFeeds(
  feeds: Readonly<Record<string, HostArray | Resident>>,
  inputs: Readonly<Record<string, InputSpec>>,
): Record<string, Feed> {
  for (const name of Object.keys(feeds))
    if (!(name in inputs))
      throw new TypeError(`unknown input "${name}"; inputs are ${Object.keys(inputs).join(', ')}`);
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype }]) => {
      const feed = feeds[name];
      if (feed === undefined) throw new TypeError(`input "${name}" is missing`);
      if ('memory' in feed) return [name, feed];
      if (feed.length !== elementCount(shape) || dtypeOf(feed) !== dtype) {
        throw new TypeError(
          `input "${name}" must be ${dtype} [${shape}] (${elementCount(shape)} values), got ${feed.length} of ${dtypeOf(feed)}`,
        );
      }
      return [name, { data: feed, shape }];
    }),
  );
}

function eager(
  program: TensorProgram,
  inputs: Readonly<Record<string, InputSpec>>,
  constants: NonNullable<CompileOptions['constants']>,
): Compiled {
  const run = async (feeds: Readonly<Record<string, HostArray | Resident>>) => {
    const checked = { ...checkFeeds(feeds, inputs), ...constants };
    return tf.tidy(() => {
      const tensors = Object.entries(checked).map(([name, feed]) => {
        if (!('data' in feed))
          throw new TypeError(
            `input "${name}" lives in the ONNX engine's memory: pass an array to an eager program`,
          );
        return [name, tf.tensor(feed.data, [...feed.shape], dtypeOf(feed.data))] as const;
      });
      const results = Object.entries(program(Object.fromEntries(tensors)));
      return Object.fromEntries(results.map(([name, result]) => [name, hostArray(result)]));
    });
  };
  return Object.assign(run, { outputs: [], dispose: () => Promise.resolve() });
}

/** TensorFlow.js casts bool to numbers without converting them: the tensor still holds bytes. */
function hostArray(tensor: Tensor): HostArray {
  const data = tensor.dataSync() as HostArray;
  if (tensor.dtype === 'float32' && !(data instanceof Float32Array)) return Float32Array.from(data);
  if (tensor.dtype === 'int32' && !(data instanceof Int32Array)) return Int32Array.from(data);
  return data;
}
