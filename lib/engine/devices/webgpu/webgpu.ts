/**
 * A GPU by ONNX Runtime's own WebGPU provider, which onnxruntime-node brings along: Metal on macOS, Direct3D 12 on Windows, Vulkan on Linux.
 * Experimental, by its makers' words. This is the main thread's side of it.
 */
import '../no-telemetry.js';
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
import { elementCount } from '../../graph.js';
import { orderSums } from '../../ordered-sums.js';
import { toOnnx } from '../../to-onnx.js';
import { wholeBuffer } from '../thread/owned.js';
import { ThreadDevice } from '../thread/thread-device.js';
import type { WebGpuCalls } from './calls.js';
import { withoutMissingOperators } from './operators.js';
import { openWebGpuOptimizer } from './optimizer.js';

/** Numbers of one buffer: ONNX Runtime binds at most 2 GiB. How much the GPU holds altogether, WebGPU does not tell. */
const MOST_NUMBERS = 2 ** 29;

/** The provider holds one GPU context in a process, and two threads that run on it at once end the process. */
let current: WebGpuDevice | undefined;

/**
 * Opens the GPU that the system calls the first.
 *
 * @throws Error in one sentence where no GPU answers, saying what is missing; or where such a device is open already in this process
 */
export async function openWebGpu(): Promise<Device> {
  if (current?.isOpen)
    throw new Error(
      'a WebGPU device is open already, and a process can have one of them: use that one, or close it first',
    );
  const previous = current;
  const device = (current = new WebGpuDevice());
  await previous?.close();
  try {
    await device.call('probe');
    return device;
  } catch (error) {
    await device.close();
    if (!/adapter/i.test((error as Error).message)) throw error;
    const mend = WHAT_MENDS[process.platform] ?? WHAT_MENDS.linux;
    throw new Error(`no GPU answers by WebGPU: ${mend}`, { cause: error });
  }
}

const WHAT_MENDS: Partial<Record<NodeJS.Platform, string>> & { linux: string } = {
  linux:
    "its Vulkan driver is missing: install the graphics card's (NVIDIA's driver brings it; for AMD and Intel: apt install libvulkan1 " +
    'mesa-vulkan-drivers), or use --device cpu',
  darwin: 'this Mac offers no Metal device to this process, so use --device cpu',
  win32: 'a driver with Direct3D 12 is missing: install that of the graphics card, or use --device cpu',
};

class WebGpuDevice extends ThreadDevice<WebGpuCalls> implements Device {
  readonly name = 'webgpu';
  readonly freeBytes = Infinity;
  readonly description = 'a GPU by WebGPU, float32 (experimental)';
  readonly mostNumbers = MOST_NUMBERS;
  /** The provider compiles shaders for shapes that it has not met. */
  readonly cacheStep = 32;

  constructor() {
    super(compiledModule('./worker.js', import.meta.url));
  }

  async compile(source: ProgramSource): Promise<DeviceProgram> {
    // Ordered sums are written for the shapes that are declared. Steps of generation, which have caches that grow, add nothing in parallel.
    const grows = Object.values(source.inputs).some(({ growingAxis }) => growingAxis !== undefined);
    const { model, outputs, reads } = toOnnx(source, {
      rewrite: (graph) => withoutMissingOperators(grows ? graph : orderSums(graph)),
    });
    return { handle: await this.load(model), outputs, reads };
  }

  load(model: Uint8Array): Promise<number> {
    return this.callMoving(wholeBuffer(model), 'createSession', model);
  }

  run(
    program: number,
    feeds: Record<string, Feed>,
    into: Record<string, DeviceTensor>,
  ): Promise<Record<string, HostArray>> {
    return this.call('run', program, feeds, into).catch(sayWhatIsFull('what a program computes'));
  }

  unload(program: number): Promise<void> {
    return this.callToFree('releaseSession', program);
  }

  /** Each tensor has a buffer of its own. */
  checkAllocation(shapes: Iterable<readonly number[]>, what: string): void {
    for (const shape of shapes) {
      const count = elementCount(shape);
      if (count <= MOST_NUMBERS) continue;
      const gigabytes = ((4 * count) / 2 ** 30).toFixed(2);
      throw new Error(
        `${what} takes a tensor [${shape.join(', ')}] of ${gigabytes} GiB, but a buffer of WebGPU ends at 2 GiB`,
      );
    }
  }

  checkOptimizer(shapes: Iterable<readonly number[]>): void {
    this.checkAllocation(shapes, 'training this model');
  }

  async allocate<Name extends string>(
    shapes: Iterable<readonly [Name, readonly number[]]>,
    what = 'what is to be kept together',
  ): Promise<DeviceMemory<Name>> {
    const named = [...shapes];
    this.checkAllocation(
      named.map(([, shape]) => shape),
      what,
    );
    const sizes = named.map(([, shape]) => elementCount(shape));
    const handles = await this.call('createBuffers', sizes).catch(sayWhatIsFull(what));
    const tensors = new Map<Name, DeviceTensor>(
      named.map(([name, shape], i) => [name, { handle: handles[i], start: 0, shape, dtype: 'float32' }]),
    );
    return { tensors, release: () => this.callToFree('releaseBuffers', handles) };
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
    return openWebGpuOptimizer(this, named);
  }
}

/** WebGPU reports a buffer that could not be made when it is first used. */
function sayWhatIsFull(what: string): (error: Error) => never {
  return (error) => {
    if (!/due to a previous error|OUT_OF_\w*MEMORY|out of memory/i.test(error.message)) throw error;
    throw new Error(
      `${what} does not fit into the GPU's memory beside what it holds: take a smaller batch or model, or use --device cpu`,
      { cause: error },
    );
  };
}
