/**
 * `compile`: a TensorFlow.js program becomes an async function on typed arrays.
 *
 *     const f = await compile(({ x, w }) => ({ y: tf.matMul(x, w) }), { x: { shape: [2, 3], dtype: 'float32' }, ... }, { device });
 *     const { y } = await f({ x: new Float32Array(6), w });
 */
import './kernels/index.js';
import {
  checkInt8,
  type Device,
  type DeviceTensor,
  type Feed,
  type HostArray,
  type ProgramSource,
} from './device.js';
import { dtypeOf, elementCount, type Graph, type Value } from './graph.js';
import { hostArray } from './host-array.js';
import { optimize } from './optimize.js';
import { memoryPeak } from './peak-memory.js';
import { specsOf } from './to-onnx.js';
import { trace, type InputSpec, type TensorProgram } from './trace.js';
import { tf } from './tf.js';

export interface CompileOptions extends Partial<
  Pick<ProgramSource, 'constants' | 'int8' | 'packs' | 'keepsRoom'>
> {
  /** Compiles and runs the program. "eager": it runs op by op on TensorFlow.js's current backend, in this thread. */
  device: Device | 'eager';
}

export interface Compiled {
  /**
   * Runs the program. `feeds` has every input that is not a constant, as an array or as a tensor that lives on the device.
   * Outputs named in `into` are written there and left out of the result.
   * @throws if an input is missing, unknown, or of another size than declared
   */
  (
    feeds: Readonly<Record<string, HostArray | DeviceTensor>>,
    into?: Readonly<Record<string, DeviceTensor>>,
  ): Promise<Record<string, HostArray>>;
  readonly outputs: readonly Value[];
  /** The device's name for the program, for a loop that runs there (`Device.stream`); an eager program has none. */
  readonly handle?: number;
  /** As of a `DeviceProgram`. */
  readonly isOpen?: boolean;
  /** Frees the program. */
  dispose(): Promise<void>;
}

export async function compile(
  program: TensorProgram,
  inputs: Readonly<Record<string, InputSpec>>,
  { device, constants = {}, ...options }: CompileOptions,
): Promise<Compiled> {
  if (options.int8) checkInt8(device === 'eager' ? { name: device } : device);
  if (device === 'eager') return eager(program, inputs, constants);
  const { handle, outputs, reads, isOpen } = await device.compile({ program, inputs, constants, ...options });
  const run = async (
    feeds: Readonly<Record<string, HostArray | DeviceTensor>>,
    into: Readonly<Record<string, DeviceTensor>> = {},
  ) => {
    const checked = checkFeeds(feeds, inputs);
    const fed = Object.fromEntries(Object.entries(checked).filter(([name]) => reads.has(name)));
    return device.run(handle, fed, { ...into });
  };
  return Object.assign(run, { outputs, handle, isOpen, dispose: () => device.unload(handle) });
}

/** The optimized graph `compile` would run; for inspection and tests. */
export function traceGraph(program: TensorProgram, inputs: Readonly<Record<string, InputSpec>>): Graph {
  return optimize(trace(program, inputs));
}

/** The most bytes that a program's results take at once on the way; see `memoryPeak`. */
export function programBytes({ program, inputs, constants }: ProgramSource): number {
  return memoryPeak(traceGraph(program, { ...inputs, ...specsOf(constants) })).bytes;
}

function checkFeeds(
  feeds: Readonly<Record<string, HostArray | DeviceTensor>>,
  inputs: Readonly<Record<string, InputSpec>>,
): Record<string, Feed> {
  for (const name of Object.keys(feeds))
    if (!(name in inputs))
      throw new TypeError(`unknown input "${name}"; inputs are ${Object.keys(inputs).join(', ')}`);
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype }]) => {
      const feed = feeds[name];
      if (feed === undefined) throw new TypeError(`input "${name}" is missing`);
      if ('handle' in feed) return [name, feed];
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
  constants: ProgramSource['constants'],
): Compiled {
  const run = async (feeds: Readonly<Record<string, HostArray | DeviceTensor>>) => {
    const checked = { ...checkFeeds(feeds, inputs), ...constants };
    return tf.tidy(() => {
      const tensors = Object.entries(checked).map(([name, feed]) => {
        if (!('data' in feed))
          throw new TypeError(`input "${name}" lives on a device: pass an array to an eager program`);
        return [name, tf.tensor(feed.data, [...feed.shape], dtypeOf(feed.data))] as const;
      });
      const results = Object.entries(program(Object.fromEntries(tensors)));
      return Object.fromEntries(results.map(([name, result]) => [name, hostArray(result)]));
    });
  };
  return Object.assign(run, { outputs: [], dispose: () => Promise.resolve() });
}
