/** The GPU by CUDA: ONNX Runtime's C API and NVIDIA's driver in a worker thread. This is the main thread's side of it. */
import '../no-telemetry.js';
import { gpuCommand, reinstallCommand } from '../../../command-text.js';
import { compiledModule } from '../../compiled-module.js';
import type {
  Device,
  DeviceMemory,
  DeviceOptimizer,
  DeviceProgram,
  DeviceTensor,
  Feed,
  HostArray,
  ProgramSource,
} from '../../device.js';
import { EngineError, EngineStopped } from '../../errors.js';
import { elementCount, type Graph } from '../../graph.js';
import { hasOrderedSums, orderSums } from '../../ordered-sums.js';
import { toOnnx } from '../../to-onnx.js';
import { BYTES_OF_FLOAT, sideBySide } from '../side-by-side.js';
import { wholeBuffer } from '../thread/owned.js';
import { ThreadDevice } from '../thread/thread-device.js';
import type { CudaCalls } from './calls.js';
import { DRIVER_LIBRARY, findDriverLibrary } from './driver-library.js';
import { ALIGNMENT, bytesOfTensors, checkRoom, checkTrainableRoom, isOutOfMemory } from './limits.js';
import { OPTIMIZER_REGIONS, openCudaOptimizer } from './optimizer.js';
import { reasonIn } from './reason.js';
import type { RuntimeOptions } from './runtime.js';

export interface CudaOptions {
  /** Allows TF32, which rounds the factors of matrix products to 10 bits: faster, and 1e-3 from the CPU's numbers. Default false. */
  tf32?: boolean;
  /**
   * Sums are added in the same order in every run, so that the same seed gives the same bits on the same GPU. Default true; false leaves the
   * order to the GPU's blocks, which is faster.
   */
  orderedSums?: boolean;
  /** Launches of a program are captured once and replayed as one. Default true; false launches them one by one, to look for a fault. */
  graphs?: boolean;
  /**
   * A folder that is there. For each program ONNX Runtime writes a file of JSON to it once the program is unloaded: which nodes ran, by which
   * provider (CUDA or the CPU), and how long; of a program that is captured only the runs before. Default: none.
   */
  profiles?: string;
}

/**
 * Opens the GPU: the first that the driver shows (CUDA_VISIBLE_DEVICES chooses).
 *
 * @throws Error in one sentence that says what is missing (system, driver, GPU, libraries, a version), and what mends it; or where such a
 *   device is open already in this process
 */
export async function openCuda({
  tf32 = false,
  orderedSums = true,
  graphs = true,
  profiles,
}: CudaOptions = {}): Promise<Device> {
  if (process.platform !== 'linux')
    throw new Error('CUDA computes on Linux only: --device webgpu computes on the GPUs of other systems');
  if (!findDriverLibrary())
    throw new Error(
      `this machine has no NVIDIA driver (${DRIVER_LIBRARY}): ${gpuCommand()} says which one CUDA needs, and fetches the rest`,
    );
  const worker = compiledModule('./worker.js', import.meta.url);
  return openCudaWorker(worker, { tf32, orderedSums, graphs, profiles });
}

/** What launches in one thread may not be beside a capture in another. */
let current: CudaDevice | undefined;

/**
 * @param worker address of a module that calls `serveCuda`
 * @throws Error in one sentence where such a device is open already in this process
 */
export async function openCudaWorker(worker: string, options: RuntimeOptions): Promise<CudaDevice> {
  if (current?.isOpen)
    throw new Error(
      'a CUDA device is open already, and a process can have one of them: use that one, or close it first',
    );
  const previous = current;
  const device = (current = new CudaDevice(worker, options));
  await previous?.close();
  try {
    await device.open();
    return device;
  } catch (error) {
    await device.close();
    throw error;
  }
}

/** One GPU, in a worker thread of its own. A process opens one at a time. */
export class CudaDevice extends ThreadDevice<CudaCalls> implements Device {
  readonly name = 'cuda';
  /** A decoder step is captured as a CUDA graph once for every so many positions; the masked rows cost less than a launch. */
  readonly cacheStep = 64;
  #description = 'CUDA';
  #totalBytes = 0;
  /** Written by the worker. */
  readonly #free = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT));

  constructor(
    worker: string,
    readonly options: RuntimeOptions,
  ) {
    super(worker);
  }

  /** @throws Error in one sentence when there is no GPU to compute on */
  async open(): Promise<void> {
    const opened = await this.call('open', this.options, this.#free).catch((error: unknown) => {
      if (!(error instanceof EngineStopped)) throw error;
      throw new Error(`the CUDA device's thread ended while it opened (${error.message}): ${reinstallCommand()} installs koffi, by which it calls CUDA`, { cause: error }); // prettier-ignore
    });
    if ('refused' in opened) throw new Error(opened.refused);
    this.#description = `${opened.name} by CUDA, ${this.options.tf32 ? 'TF32' : 'float32'}`;
    this.#totalBytes = opened.totalBytes;
  }

  /** "NVIDIA H100 80GB HBM3 by CUDA, float32" */
  get description(): string {
    return this.#description;
  }

  get mostNumbers(): number {
    return Math.floor(this.#totalBytes / BYTES_OF_FLOAT);
  }

  get freeBytes(): number {
    return this.#free[0];
  }

  async compile(source: ProgramSource): Promise<DeviceProgram> {
    const inputs = Object.entries(source.inputs);
    const grows = inputs.some(([, { growingAxis }]) => growingAxis !== undefined);
    let hasOrdered = false;
    const rewrite = (graph: Graph): Graph => {
      // Sums are rewritten for the sizes that are traced.
      const rewritten = this.options.orderedSums && !grows ? orderSums(graph) : graph;
      hasOrdered = hasOrderedSums(rewritten);
      return rewritten;
    };
    const { model, outputs, reads, operators } = toOnnx(source, { rewrite });
    const keepsMemory = [...operators].some((operator) => KEEPING_MEMORY.has(operator));
    const kind = {
      outputs,
      grows,
      inputBytes: Object.fromEntries(
        inputs.map(([name, { shape }]) => [name, BYTES_OF_FLOAT * elementCount(shape)]),
      ),
      sharesArena: !keepsMemory,
      captures: !keepsMemory && this.options.graphs,
      hasOrderedSums: hasOrdered,
    };
    return { handle: await this.#load(model, kind), outputs, reads };
  }

  load(model: Uint8Array): Promise<number> {
    return this.#load(model, {
      outputs: null,
      grows: false,
      inputBytes: {},
      sharesArena: false,
      captures: false,
      hasOrderedSums: false,
    });
  }

  #load(model: Uint8Array, kind: Parameters<CudaCalls['load']>[1]): Promise<number> {
    return this.callMoving(wholeBuffer(model), 'load', model, kind).catch(explain);
  }

  /** Runs a program; see {@link Device.run}. */
  run(
    program: number,
    feeds: Record<string, Feed>,
    into: Record<string, DeviceTensor>,
  ): Promise<Record<string, HostArray>> {
    return this.call('run', program, feeds, into).catch(explain);
  }

  override async *stream<Event>(module: string, args: unknown): AsyncGenerator<Event> {
    try {
      yield* super.stream<Event>(module, args);
    } catch (error) {
      explain(error);
    }
  }

  unload(program: number): Promise<void> {
    return this.callToFree('unload', program);
  }

  checkAllocation(shapes: Iterable<readonly number[]>, what: string): void {
    checkRoom(what, bytesOfTensors([...shapes]), this.#free[0]);
  }

  checkOptimizer(shapes: Iterable<readonly number[]>): void {
    checkTrainableRoom([...shapes], OPTIMIZER_REGIONS.length, this.#free[0]);
  }

  /** Tensors start at multiples of 256 bytes in one allocation. */
  async allocate<Name extends string>(
    shapes: Iterable<readonly [Name, readonly number[]]>,
    what = 'what is to be kept together',
  ): Promise<DeviceMemory<Name> & { handle: number }> {
    const { places, byteLength } = sideBySide(shapes, ALIGNMENT);
    checkRoom(what, byteLength, this.#free[0]);
    // What is free by the last count may be taken since, by programs' runs and by other processes.
    const handle = await this.call('allocate', byteLength).catch(explain);
    const tensors = new Map<Name, DeviceTensor>(
      places.map(({ name, start, shape }) => [name, { handle, start, shape, dtype: 'float32' }]),
    );
    return { handle, tensors, release: () => this.callToFree('free', handle) };
  }

  read(source: DeviceTensor): Promise<HostArray> {
    return this.call('read', source);
  }

  write(target: DeviceTensor, data: HostArray): Promise<void> {
    return this.call('write', target, data);
  }

  clear(target: DeviceTensor): Promise<void> {
    return this.call('clear', target);
  }

  async openOptimizer(shapes: Iterable<readonly [string, readonly number[]]>): Promise<DeviceOptimizer> {
    const named = [...shapes];
    this.checkOptimizer(named.map(([, shape]) => shape));
    return openCudaOptimizer(
      {
        allocate: (regions, what) => this.allocate(regions, what),
        zero: (handle, count) => this.clear({ handle, start: 0, shape: [count], dtype: 'float32' }),
        accumulate: (...args) => this.call('accumulate', ...args),
        sumOfSquares: (...args) => this.call('sumOfSquares', ...args),
        adamw: (...args) => this.call('adamw', ...args),
      },
      named,
    );
  }
}

/** Operators whose kernels keep memory from their session's arena between runs, such as weights in cuDNN's order. */
const KEEPING_MEMORY = new Set(['Conv', 'LSTM']);

/** Too little memory is nobody's mistake in this program: it is said as what does not fit. */
function explain(error: unknown): never {
  if (error instanceof EngineError && isOutOfMemory(error))
    throw new Error(
      `the GPU's memory is full (${reasonIn(error.message)}): smaller batches, shorter completions or fewer samples at once take less`,
      { cause: error },
    );
  throw error;
}
