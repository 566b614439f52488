/** The GPU by NVIDIA's driver API (libcuda.so.1, which is there wherever a GPU works): memory, and the kernels of kernels.cu. */
import { gpuCommand } from '../../../command-text.js';
import { sumOf } from '../../../mean.js';
import type { AdamWUpdate } from '../../device.js';
import { DRIVER_LIBRARY, findDriverLibrary } from './driver-library.js';
import type { Memory, OptimizerRegions } from './memory.js';
import {
  allocateBytes,
  copyTo,
  openLibrary,
  result,
  textAt,
  type Address,
  type NativeFunction,
} from '../ort/native.js';
import { PTX } from './ptx.js';

const POINTER = 'void *';
/** CUdeviceptr */
const DEVICE_ADDRESS = 'uint64_t';

/** Functions of the driver and their parameters. All return a CUresult. */
const FUNCTIONS = {
  cuInit: ['uint'],
  cuDriverGetVersion: [POINTER],
  cuDeviceGetCount: [POINTER],
  cuDeviceGet: [POINTER, 'int'],
  cuDeviceGetName: [POINTER, 'int', 'int'],
  cuDevicePrimaryCtxRetain: [POINTER, 'int'],
  cuDevicePrimaryCtxRelease_v2: ['int'],
  cuCtxSetCurrent: [POINTER],
  cuCtxSynchronize: [],
  cuMemGetInfo_v2: [POINTER, POINTER],
  cuMemAlloc_v2: [POINTER, 'size_t'],
  cuMemFree_v2: [DEVICE_ADDRESS],
  cuMemcpyHtoD_v2: [DEVICE_ADDRESS, POINTER, 'size_t'],
  cuMemcpyDtoH_v2: [POINTER, DEVICE_ADDRESS, 'size_t'],
  cuMemcpyDtoD_v2: [DEVICE_ADDRESS, DEVICE_ADDRESS, 'size_t'],
  cuMemsetD32_v2: [DEVICE_ADDRESS, 'uint', 'size_t'],
  cuModuleLoadData: [POINTER, 'const char *'],
  cuModuleUnload: [POINTER],
  cuModuleGetFunction: [POINTER, POINTER, 'const char *'],
  cuLaunchKernel: [POINTER, ...Array<string>(7).fill('uint'), POINTER, POINTER, POINTER],
} as const;
type Name = keyof typeof FUNCTIONS;

/** An argument of a kernel. */
type Argument = { address: Address } | { count: number } | { float: number };

const THREADS = 256;
/** Blocks of a launch: some for each of a large GPU's multiprocessors. The order of `sumOfSquares` depends on it. */
const BLOCKS = 1024;
const BYTES_OF_DOUBLE = 8;
const BYTES_OF_FLOAT = 4;

/** What stands in the way of computing on a GPU here. */
export class NoGpu extends Error {}

/**
 * The first GPU that the driver shows (CUDA_VISIBLE_DEVICES chooses). `cudaVersion` is the newest CUDA that the driver runs: "13.0".
 *
 * @param path the driver's library
 * @throws NoGpu in one sentence when there is no driver or no GPU
 */
export function openDriver(
  path = findDriverLibrary() ?? DRIVER_LIBRARY,
): Memory & { readonly cudaVersion: string } {
  const call = driverFunctions(path);
  const number = (name: Name, ...args: unknown[]): bigint => {
    const out = result();
    call(name, out, ...args);
    return out[0];
  };
  try {
    call('cuInit', 0);
  } catch (error) {
    throw new NoGpu(
      `the NVIDIA driver finds no GPU (${(error as Error).message}): nvidia-smi says what it sees, and CUDA_VISIBLE_DEVICES, where it is set, must name one of those`,
      { cause: error },
    );
  }
  if (Number(number('cuDeviceGetCount')) === 0)
    throw new NoGpu('the NVIDIA driver shows no GPU: CUDA_VISIBLE_DEVICES, where it is set, must name one');
  const device = Number(number('cuDeviceGet', 0));
  const context = orRefuse(() => number('cuDevicePrimaryCtxRetain', device));
  const { module, kernels, sums } = orRefuse(() => {
    try {
      call('cuCtxSetCurrent', context);
      const module = number('cuModuleLoadData', PTX);
      const kernels = new Map(
        ['accumulate', 'sum_of_squares', 'adamw'].map((name) => [
          name,
          number('cuModuleGetFunction', module, name),
        ]),
      );
      return { module, kernels, sums: number('cuMemAlloc_v2', BLOCKS * BYTES_OF_DOUBLE) };
    } catch (error) {
      // A process that goes on without the GPU leaves its memory to others. The context takes the module with it.
      call('cuDevicePrimaryCtxRelease_v2', device);
      throw error;
    }
  });
  const launch = (kernel: string, args: readonly Argument[]): void =>
    call('cuLaunchKernel', kernels.get(kernel), BLOCKS, 1, 1, THREADS, 1, 1, 0, null, packed(args), null);

  const name = new Uint8Array(256);
  call('cuDeviceGetName', name, name.byteLength, device);
  return {
    provider: 'CUDA',
    name: Buffer.from(name.subarray(0, name.indexOf(0))).toString(),
    cudaVersion: versionText(Number(number('cuDriverGetVersion'))),
    room() {
      const [free, total] = [result(), result()];
      call('cuMemGetInfo_v2', free, total);
      return { free: Number(free[0]), total: Number(total[0]) };
    },
    // The driver's allocations begin at multiples of 256 bytes at least.
    allocate: (byteLength) => number('cuMemAlloc_v2', Math.max(BYTES_OF_FLOAT, byteLength)),
    free: (address) => call('cuMemFree_v2', address),
    write: (address, data) => call('cuMemcpyHtoD_v2', address, data, data.byteLength),
    read: (address, into) => call('cuMemcpyDtoH_v2', into, address, into.byteLength),
    copy: (to, from, byteLength) => call('cuMemcpyDtoD_v2', to, from, byteLength),
    clear: (address, byteLength) => call('cuMemsetD32_v2', address, 0, byteLength / BYTES_OF_FLOAT),
    synchronize: () => call('cuCtxSynchronize'),
    accumulate: (totals, gradients, count) =>
      launch('accumulate', [{ address: totals }, { address: gradients }, { count }]),
    sumOfSquares(numbers, count) {
      launch('sum_of_squares', [{ address: numbers }, { count }, { address: sums }]);
      const ofBlocks = new Float64Array(BLOCKS);
      call('cuMemcpyDtoH_v2', ofBlocks, sums, ofBlocks.byteLength);
      return sumOf(ofBlocks);
    },
    adamw: (regions, update) => launch('adamw', adamwArguments(regions, update)),
    close() {
      call('cuMemFree_v2', sums);
      call('cuModuleUnload', module);
      call('cuDevicePrimaryCtxRelease_v2', device);
    },
  };
}

/** "13.2" for 13020, as the driver says it. */
const versionText = (version: number): string =>
  `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;

/** A GPU that others have filled, that is older than the kernels, or whose driver is. */
function orRefuse<Opened>(open: () => Opened): Opened {
  try {
    return open();
  } catch (error) {
    throw new NoGpu(
      `the GPU cannot be used (${(error as Error).message}): nvidia-smi says who holds it; it must be of 2018 or later (compute capability 7.5), and its driver one of CUDA 12 or later`,
      { cause: error },
    );
  }
}

/** In the order in which the kernel takes them. */
function adamwArguments(regions: OptimizerRegions, update: AdamWUpdate): Argument[] {
  const { parameters, gradients, means, squares, count } = regions;
  const { gradientScale, decay, oneMinusBeta1, beta2, oneMinusBeta2, root, epsilon, step } = update;
  return [
    ...[parameters, gradients, means, squares].map((address) => ({ address })),
    { count },
    ...[gradientScale, decay, oneMinusBeta1, beta2, oneMinusBeta2, root, epsilon, step].map((float) => ({
      float,
    })),
  ];
}

const SLOT = 8;
const MOST_ARGUMENTS = 16;
/** Memory that no collection moves: addresses of a launch's arguments, then the arguments, a slot each. */
let launchMemory: Address | undefined;

/** Arguments as cuLaunchKernel takes them: an array of their addresses. The driver has read them when the launch returns. */
function packed(args: readonly Argument[]): Address {
  launchMemory ??= allocateBytes(2 * MOST_ARGUMENTS * SLOT);
  const values = launchMemory + BigInt(MOST_ARGUMENTS * SLOT);
  const bytes = new DataView(new ArrayBuffer(2 * MOST_ARGUMENTS * SLOT));
  args.forEach((argument, index) => {
    const offset = index * SLOT;
    bytes.setBigUint64(offset, values + BigInt(offset), true);
    const place = MOST_ARGUMENTS * SLOT + offset;
    if ('float' in argument) bytes.setFloat32(place, argument.float, true);
    else bytes.setBigUint64(place, 'count' in argument ? BigInt(argument.count) : argument.address, true);
  });
  copyTo(launchMemory, bytes);
  return launchMemory;
}

/** Calls of the driver. @throws Error that names the function and the driver's name of the error */
function driverFunctions(path: string): (name: Name, ...args: unknown[]) => void {
  const library = (() => {
    try {
      return openLibrary(path);
    } catch (error) {
      throw new NoGpu(
        `the NVIDIA driver cannot be loaded (${(error as Error).message}): ${gpuCommand()} says which one CUDA needs`,
        { cause: error },
      );
    }
  })();
  const functions = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, parameters]) => [
      name,
      library.functionOf(name, 'int', parameters),
    ]),
  ) as Record<Name, NativeFunction>;
  const errorName = library.functionOf('cuGetErrorName', 'int', ['int', POINTER]);
  return (name, ...args) => {
    const code = functions[name](...args) as number;
    if (code === 0) return;
    const text = result();
    const known = errorName(code, text) === 0 && text[0] !== 0n;
    throw new Error(`${name}: ${known ? textAt(text[0]) : `error ${code}`}`);
  };
}
