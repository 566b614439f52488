/**
 * What programs run on. A device compiles them, keeps tensors between runs, and updates parameters where they live; everything above the
 * engine sees this type alone. One file or folder in devices/ makes a device: devices/cpu is ONNX Runtime in a worker thread.
 */
import { elementCount, type Value } from './graph.js';
import type { FloatTensor } from './host-tensor.js';
import type { InputSpec, TensorProgram } from './trace.js';

/** Values in ordinary memory. */
export type HostArray = Float32Array | Int32Array;

/** A tensor that stays on a device between runs: parameters, gradients, optimizer state, caches. Plain data, and an opaque name. */
export interface DeviceTensor {
  /** The device's name for the allocation that holds it. */
  readonly handle: number;
  /** Elements of that allocation before the tensor's first one. */
  readonly start: number;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
}

/**
 * A part of a tensor that begins at one of its rows (indices of the first axis), read or written as `shape`. Nothing is copied.
 *
 * @throws RangeError when the part reaches beyond the tensor
 */
export function partOf(tensor: DeviceTensor, row: number, shape: readonly number[]): DeviceTensor {
  const size = elementCount(tensor.shape);
  const offset = (row * size) / tensor.shape[0];
  if (offset + elementCount(shape) > size)
    throw new RangeError(`[${shape.join(', ')}] from row ${row} reaches beyond [${tensor.shape.join(', ')}]`);
  return { ...tensor, start: tensor.start + offset, shape };
}

/** @throws Error in one sentence where a device does not multiply in 8 bits */
export function checkInt8({ name, int8 }: Pick<Device, 'name' | 'int8'>): void {
  if (!int8)
    throw new Error(
      `the device ${name} does not multiply in 8 bits: choose the device cpu, or leave int8 (--int8) out`,
    );
}

/** What a program's input is given: an array, or a tensor on the device. */
export type Feed = { readonly data: HostArray; readonly shape: readonly number[] } | DeviceTensor;

/** An input whose values never change. */
export interface ProgramConstant {
  readonly shape: readonly number[];
  /** Once the program is compiled, they are the caller's again; or as `memory` says. */
  readonly data: HostArray;
  /**
   * "lent": nothing changes the values until the program is unloaded, so that a device may read them where they are, without a copy.
   * "given": nobody else reads them, so that a device may free them once it has them. Default: neither.
   */
  readonly memory?: 'lent' | 'given';
}

/** A program before it is compiled. */
export interface ProgramSource {
  readonly program: TensorProgram;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** Such as a policy's weights while it is sampled. */
  readonly constants: Readonly<Record<string, ProgramConstant>>;
  /** Whether rows are multiplied by weights in 8 bits (quantize.ts); default false. */
  readonly int8?: boolean;
  /**
   * Whether a device may keep constants in the order in which its kernels read them, which takes as much memory again as those that are lent, and
   * saves time where matrices have few rows. Default true.
   */
  readonly packs?: boolean;
  /**
   * Whether runs follow each other, as those of a training do: a device may keep the memory of what a run computes on the way for the next one,
   * until the program is unloaded. Default false.
   */
  readonly keepsRoom?: boolean;
}

/** A program as its device names it. */
export interface DeviceProgram {
  /** For {@link Device.run}, also within a stream. */
  readonly handle: number;
  readonly outputs: readonly Value[];
  /** The inputs that the program reads: only these are to be fed. */
  readonly reads: ReadonlySet<string>;
  /** Whether inputs have open axes (`InputSpec.openAxes`), along which a run may feed any size; default false. */
  readonly isOpen?: boolean;
}

/** Named float32 tensors side by side in one allocation. */
export interface DeviceMemory<Name extends string = string> {
  readonly tensors: ReadonlyMap<Name, DeviceTensor>;
  /** Frees the allocation. Of a device that is gone nothing is left to free. */
  release(): Promise<void>;
}

/** The scalars of one AdamW update: p -= step * m / (sqrt(v) / root + epsilon), after p *= decay; see lib/train/adamw.ts. */
export interface AdamWUpdate {
  /** Multiplies the gradients first: clipping. */
  gradientScale: number;
  decay: number;
  oneMinusBeta1: number;
  beta2: number;
  oneMinusBeta2: number;
  root: number;
  epsilon: number;
  step: number;
}

/**
 * Parameters, their gradients and AdamW's moments, each kind in one region, which an operation passes over once. Everything is 0 at
 * first.
 */
export interface DeviceOptimizer {
  readonly parameters: ReadonlyMap<string, DeviceTensor>;
  readonly gradients: ReadonlyMap<string, DeviceTensor>;
  /** AdamW's first moments. */
  readonly means: ReadonlyMap<string, DeviceTensor>;
  /** AdamW's second moments. */
  readonly squares: ReadonlyMap<string, DeviceTensor>;
  /** Adds the gradients to those of earlier micro-batches; from then to the next `step` these sums are the gradients. */
  accumulate(): Promise<void>;
  /** Of all gradients together, summed in float64. */
  sumOfSquares(): Promise<number>;
  /** Updates all parameters in place. Gradients summed by `accumulate` are forgotten. */
  step(update: AdamWUpdate): Promise<void>;
  /** Frees all of it. */
  release(): Promise<void>;
}

/** What a loop that runs beside the device may call; see {@link Device.stream}. */
export interface DeviceThread {
  /** Runs a program on feeds by input name. Outputs named in `into` are written there, the others come back by name. */
  run(
    program: number,
    feeds: Record<string, Feed>,
    into: Record<string, DeviceTensor>,
  ): Promise<Record<string, HostArray>>;
  /** A tensor's values: a copy, or, within a stream, the values themselves, which the next run may change. */
  read(source: DeviceTensor): Promise<HostArray>;
  /**
   * Moves some columns of a tensor [rows, columns, ...] together, in place: it begins with [rows, kept.length, ...] afterwards. A device has this
   * function where its programs may be open.
   *
   * @param kept columns, in ascending order
   */
  keepColumns?(tensor: DeviceTensor, kept: readonly number[]): Promise<void>;
}

/** What a module for {@link Device.stream} exports as `stream`. `args` is a structured clone of what the caller gave. */
export type DeviceStream = (thread: DeviceThread, args: never) => AsyncGenerator<unknown>;

/**
 * Where programs run. Calls are answered in order. Who opens a device closes it; whatever it holds is gone then.
 *
 * A device of one's own has these functions and nothing else: pass it to `runExperiment`, `openSampler`, `trainDpo`, ... (docs/adding-a-device.md).
 */
export interface Device extends DeviceThread {
  /** "cpu" */
  readonly name: string;
  /** What computes, in one phrase for the log and run.json: "the CPU, 2 threads". */
  readonly description: string;
  /** Float32 numbers that one allocation holds at most. */
  readonly mostNumbers: number;
  /** Bytes that are free on the device, by what it knows now; Infinity where it does not tell. */
  readonly freeBytes: number;
  /**
   * Rows by which a cache that grows is fed: 1 where each length is as good as another; more where shapes that return save time, as on a
   * GPU that replays a recorded run. Rows that hold nothing yet are masked then.
   */
  readonly cacheStep: number;
  /** Whether it multiplies in 8 bits where a program asks for it (`ProgramSource.int8`); default false, and it is given none. */
  readonly int8?: boolean;
  /** @throws what ONNX Runtime or the device says of a program that it cannot run */
  compile(source: ProgramSource): Promise<DeviceProgram>;
  /**
   * A model that comes as ONNX, as a program.
   *
   * @param model an array that is all of its buffer may be moved: it is empty afterwards
   * @returns a handle for `run`
   */
  load(model: Uint8Array): Promise<number>;
  /** Frees a program. Of a device that is gone nothing is left to free. */
  unload(program: number): Promise<void>;
  /**
   * @param what is to be kept, for the error: "a copy of the weights"
   * @throws Error in one sentence when tensors of these shapes do not fit into one allocation
   */
  checkAllocation(shapes: Iterable<readonly number[]>, what: string): void;
  /** @throws Error in one sentence when an optimizer of such parameters does not fit, saying how many parameters would */
  checkOptimizer(shapes: Iterable<readonly number[]>): void;
  /** Memory for float32 tensors of these shapes, zeroed. @throws Error as `checkAllocation` does */
  allocate<Name extends string>(
    shapes: Iterable<readonly [Name, readonly number[]]>,
    what?: string,
  ): Promise<DeviceMemory<Name>>;
  /**
   * Tensors of ordinary memory for programs to read where they are: nothing writes to them or to their arrays until they are released. A device whose
   * programs read its own memory only has no such function, and is written copies.
   */
  lend?<Name extends string>(
    tensors: Iterable<readonly [Name, Pick<FloatTensor, 'shape' | 'data'>]>,
  ): Promise<DeviceMemory<Name>>;
  /** Replaces a tensor's values; `data` stays the caller's. */
  write(target: DeviceTensor, data: HostArray): Promise<void>;
  /** Sets a tensor to zero. */
  clear(target: DeviceTensor): Promise<void>;
  /** @throws Error as `checkOptimizer` does */
  openOptimizer(shapes: Iterable<readonly [string, readonly number[]]>): Promise<DeviceOptimizer>;
  /**
   * Runs an async generator where a loop over programs waits for no messages, and yields what it yields. Leaving the loop ends the generator.
   *
   * @param module address of a module that exports a {@link DeviceStream} as `stream` (`compiledModule`)
   * @param args plain data
   */
  stream<Event>(module: string, args: unknown): AsyncGenerator<Event>;
  /** Sentences about what the device goes on without, such as a way to be faster: each is given once. Absent where it needs nothing such. */
  takeNotices?(): string[];
  /** Rejects the calls under way and all later ones, and frees everything. */
  close(): Promise<void>;
}
