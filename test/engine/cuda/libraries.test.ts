/** What is said where CUDA's libraries are missing or do not go together. Nothing of NVIDIA's is needed for that. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NoGpu } from '../../../lib/engine/devices/cuda/driver.js';
import { openCuda, openCudaWorker } from '../../../lib/engine/devices/cuda/cuda.js';
import { findDriverLibrary } from '../../../lib/engine/devices/cuda/driver-library.js';
import { findCudaLibraries, openCudaLibraries } from '../../../lib/engine/devices/cuda/libraries.js';
import { cudaFailure, reasonIn } from '../../../lib/engine/devices/cuda/reason.js';
import { findOrtLibrary } from '../../../lib/engine/devices/ort/library.js';
import { canRunHostCuda } from '../../support/host-cuda.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const CUDA13 = '13.0';

describe.skipIf(!canRunHostCuda)('CUDA’s libraries', () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
    vi.stubEnv('SPEECH_DPO_CUDA_LIBRARIES', folder);
  });
  afterEach(() => vi.unstubAllEnvs());

  /** A file of the layout that pip makes, empty or a copy of another. */
  function put(path: string, from?: string): string {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    if (from) copyFileSync(from, target);
    else writeFileSync(target, '');
    return target;
  }
  const refusal = (): string => {
    try {
      openCudaLibraries(CUDA13);
    } catch (error) {
      expect(error).toBeInstanceOf(NoGpu);
      return (error as Error).message;
    }
    throw new Error('nothing was refused');
  };

  it('are found where they are said to be, NVIDIA’s in the order in which they need one another', () => {
    const runtime = put('onnxruntime/capi/libonnxruntime.so.1.30.0');
    put('onnxruntime/capi/libonnxruntime_providers_cuda.so');
    put('onnxruntime/capi/libonnxruntime_providers_shared.so');
    const names = ['cudnn/lib/libcudnn.so.9', 'cudnn/lib/libcudnn_ops.so.9', 'cu13/lib/libcublas.so.13', 'cu13/lib/libcublasLt.so.13', 'cu13/lib/libcudart.so.13', 'cu13/lib/libnvrtc.so.13', 'cu13/lib/libnvrtc-builtins.so.13.0']; // prettier-ignore
    for (const name of names) put(`nvidia/${name}`);
    const found = findCudaLibraries();
    expect(found.runtime).toBe(runtime);
    expect(found.nvidia.map((path) => path.split('/').at(-1))).toEqual(['libcudart.so.13', 'libcublasLt.so.13', 'libcublas.so.13', 'libnvrtc-builtins.so.13.0', 'libnvrtc.so.13', 'libcudnn.so.9']); // prettier-ignore
  });

  it('are looked for along LD_LIBRARY_PATH as well', () => {
    vi.stubEnv('SPEECH_DPO_CUDA_LIBRARIES', '');
    vi.stubEnv('LD_LIBRARY_PATH', `/no/such/folder:${folder}`);
    const runtime = put('libonnxruntime.so.1');
    put('libonnxruntime_providers_cuda.so');
    // A machine that npm run gpu has made ready has them in a place that comes first.
    expect([runtime, expect.stringMatching(/\.cache\/gpu|onnxruntime-node/)]).toContainEqual(
      findCudaLibraries().runtime,
    );
  });

  it.each([
    [
      'no provider',
      () => put('onnxruntime/capi/libonnxruntime.so.1'),
      /^ONNX Runtime's CUDA provider \(libonnxruntime_providers_cuda\.so\) is not in SPEECH_DPO_CUDA_LIBRARIES \(.*\): npm run gpu fetches it$/,
    ],
    [
      'a driver too old for the libraries',
      () => {
        put('onnxruntime/capi/libonnxruntime.so.1');
        put('onnxruntime/capi/libonnxruntime_providers_cuda.so');
        put('nvidia/cu14/lib/libcudart.so.14');
      },
      /^the NVIDIA driver runs CUDA 13\.0, but the libraries are of CUDA 14: update the driver$/,
    ],
    [
      'a driver too old for libraries whose names have their whole version',
      () => {
        put('onnxruntime/capi/libonnxruntime.so.1');
        put('onnxruntime/capi/libonnxruntime_providers_cuda.so');
        put('nvidia/cu14/lib/libcudart.so.14.0.48');
      },
      /^the NVIDIA driver runs CUDA 13\.0, but the libraries are of CUDA 14: update the driver$/,
    ],
    [
      'a library of NVIDIA’s that is broken',
      () => {
        put('onnxruntime/capi/libonnxruntime.so.1');
        put('onnxruntime/capi/libonnxruntime_providers_cuda.so');
        put('nvidia/cu13/lib/libcublas.so.13');
      },
      /^CUDA's libraries cannot be loaded \(.*libcublas\.so\.13: file too short\): npm run gpu fetches all of them$/,
    ],
    [
      'a provider without what it is loaded by',
      () => {
        put('onnxruntime/capi/libonnxruntime.so.1', findOrtLibrary());
        put('onnxruntime/capi/libonnxruntime_providers_cuda.so');
      },
      /^CUDA's libraries cannot be loaded \(\/[^ ]*libonnxruntime_providers_shared\.so: cannot open .*\): npm run gpu fetches all of them$/,
    ],
  ])('are refused in a sentence with what mends it: %s', (_, make, sentence) => {
    make();
    expect(refusal()).toMatch(sentence);
  });

  it('of another version than onnxruntime-node are refused', () => {
    put('onnxruntime/capi/libonnxruntime.so.1', findOrtLibrary());
    put('onnxruntime/capi/libonnxruntime_providers_cuda.so');
    expect(() => openCudaLibraries(CUDA13, '9.9.9')).toThrow(
      /is ONNX Runtime 1\.\d+\.\d+, but this program was made for 9\.9\.9: npm run gpu fetches that$/,
    );
  });
});

it('what ONNX Runtime passes on of CUDA is told without where in its sources and on which machine', () => {
  const failure = (name: string) =>
    `/onnxruntime_src/cuda_execution_provider_info.cc:62 FromProviderOptions(const ProviderOptions&) [ONNXRuntimeError] : 1 : FAIL : Failed to parse provider option "device_id": ${name} failure 36: API call is not supported in the installed CUDA driver ; GPU=-1 ; hostname=vm ; file=/onnxruntime_src/a.cc ; line=69 ; expr=cudaGetDeviceCount(&num_devices);`;
  for (const name of ['CUDA', 'CUBLAS', 'CUDNN'])
    expect(cudaFailure(failure(name))).toBe(
      `${name} failure 36: API call is not supported in the installed CUDA driver`,
    );
  expect(cudaFailure('a.cc:1 the graph is wrong')).toBeUndefined();
  expect(reasonIn('it cannot be captured\nat a.cc')).toBe('it cannot be captured');
});

it.skipIf(findDriverLibrary() !== undefined)(
  'a machine without a driver is told so, in a plain error',
  async () => {
    const failure = await openCuda().catch((error: unknown) => error as Error);
    expect((failure as Error).name).toBe('Error');
    expect((failure as Error).message).toBe(
      process.platform === 'linux'
        ? 'this machine has no NVIDIA driver (libcuda.so.1): npm run gpu says which one CUDA needs, and fetches the rest'
        : 'CUDA computes on Linux only: --device webgpu computes on the GPUs of other systems',
    );
  },
);

it('a thread that cannot begin, as without koffi, is told in a plain error', async () => {
  const worker = `data:text/javascript,${encodeURIComponent("throw new Error('Cannot find package koffi')")}`;
  const failure = await openCudaWorker(worker, { tf32: false, orderedSums: true, graphs: true }).catch(
    (error: unknown) => error as Error,
  );
  expect((failure as Error).name).toBe('Error');
  expect((failure as Error).message).toMatch(/Cannot find package koffi\): npm ci installs koffi/);
});
