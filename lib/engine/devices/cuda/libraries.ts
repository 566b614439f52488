/** Where CUDA's libraries and ONNX Runtime's CUDA provider are, and how they are loaded. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { gpuCommand } from '../../../command-text.js';
import { findPackageRoot } from '../../../package-root.js';
import { onnxruntimeNode } from '../ort/library.js';
import { NoGpu } from './driver.js';
import { cudaFailure } from './reason.js';
import { openLibrary } from '../ort/native.js';
import { openOrtApi, type OrtApi } from '../ort/ort-api.js';

const VARIABLE = 'SPEECH_DPO_CUDA_LIBRARIES';
const PROVIDER = 'libonnxruntime_providers_cuda.so';

/** A folder in which CUDA's libraries are looked for, and why there. */
interface Place {
  folder: string;
  named: string;
  /** Also in folders within it. */
  deep: boolean;
}

/** What is found: ONNX Runtime's library with its CUDA provider beside it, and NVIDIA's libraries in the order in which they are loaded. */
export interface CudaLibraries {
  runtime: string;
  nvidia: string[];
}

/**
 * NVIDIA's libraries that the provider needs, each after those that it needs itself. nvrtc, by which cuDNN compiles kernels, looks for its
 * builtins by name only when it compiles, and not beside itself.
 */
const NVIDIA = ['cudart', 'cublasLt', 'cublas', 'nvrtc-builtins', 'nvrtc', 'curand', 'cufft', 'cudnn'];

/** Where `npm run gpu` puts them. */
const gpuFolder = (): string => join(findPackageRoot(), '.cache', 'gpu');

/** Where libraries are looked for, first come first served. */
function places(): Place[] {
  const named = process.env[VARIABLE];
  if (named) return [{ folder: named, named: `${VARIABLE} (${named})`, deep: true }];
  const paths = (process.env.LD_LIBRARY_PATH ?? '').split(delimiter).filter((path) => path !== '');
  return [
    { folder: gpuFolder(), named: '.cache/gpu', deep: true },
    { folder: join(onnxruntimeNode(), 'bin'), named: 'onnxruntime-node', deep: true },
    ...paths.map((folder) => ({ folder, named: 'LD_LIBRARY_PATH', deep: false })),
  ];
}

/**
 * Looks for the libraries: where SPEECH_DPO_CUDA_LIBRARIES says and nowhere else, or in .cache/gpu (`npm run gpu`), in onnxruntime-node
 * (whose own installer can fetch the provider) and along LD_LIBRARY_PATH.
 *
 * @throws NoGpu in one sentence when there is no CUDA provider
 */
export function findCudaLibraries(): CudaLibraries {
  const all = places();
  for (const place of all) {
    const files = librariesIn(place);
    const provider = files.find((path) => path.endsWith(`/${PROVIDER}`));
    if (!provider) continue;
    const runtime = readdirSync(dirname(provider)).find((name) => /^libonnxruntime\.so(\.|$)/.test(name));
    if (!runtime) continue;
    return { runtime: join(dirname(provider), runtime), nvidia: nvidiaAmong(files) };
  }
  const looked = all.map(({ named }) => named).filter((name, index, names) => names.indexOf(name) === index);
  throw new NoGpu(
    `ONNX Runtime's CUDA provider (${PROVIDER}) is not in ${looked.join(', nor in ')}: ${gpuCommand()} fetches it`,
  );
}

/** Libraries of NVIDIA's in the order in which they are to be loaded. */
function nvidiaAmong(files: readonly string[]): string[] {
  return NVIDIA.flatMap((name) => {
    const path = files.find((file) => new RegExp(`/lib${name}\\.so\\.[\\d.]+$`).test(file));
    return path ? [path] : [];
  });
}

/** Paths of shared libraries. */
function librariesIn({ folder, deep }: Place): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: deep, encoding: 'utf8' })
    .filter((path) => /\.so(\.[\d.]+)?$/.test(path))
    .map((path) => join(folder, path));
}

/**
 * ONNX Runtime with its CUDA provider. NVIDIA's libraries are opened by their paths first: the provider then finds them by their names, and
 * LD_LIBRARY_PATH, which counts only from the start of a process, need not name them.
 *
 * @param driverVersion of CUDA, that the driver can run: "13.0"
 * @param wanted the version of ONNX Runtime: that of onnxruntime-node
 * @throws NoGpu in one sentence when they do not go together, or cannot be loaded
 */
export function openCudaLibraries(driverVersion: string, wanted = versionOf(onnxruntimeNode())): OrtApi {
  const { runtime, nvidia } = findCudaLibraries();
  const cudart = nvidia.map((path) => /libcudart\.so\.(\d+)/.exec(path)?.[1]).find(Boolean);
  if (cudart && Number(cudart) > parseInt(driverVersion))
    throw new NoGpu(
      `the NVIDIA driver runs CUDA ${driverVersion}, but the libraries are of CUDA ${cudart}: update the driver`,
    );
  for (const path of nvidia) openOrRefuse(() => openLibrary(path));
  const api = openOrRefuse(() => openOrtApi(runtime));
  if (api.version !== wanted)
    throw new NoGpu(
      `${runtime} is ONNX Runtime ${api.version}, but this program was made for ${wanted}: ${gpuCommand()} fetches that`,
    );
  openOrRefuse(() => loadProvider(api));
  return api;
}

/** Loads what else the first session would load, so that what is missing is said before there is one. */
function loadProvider(api: OrtApi): void {
  const options = api.get('CreateSessionOptions');
  const provider = api.get('CreateCUDAProviderOptions');
  try {
    api.call('UpdateCUDAProviderOptions', provider, ['device_id'], ['0'], 1);
    api.call('SessionOptionsAppendExecutionProvider_CUDA_V2', options, provider);
  } finally {
    api.release('ReleaseCUDAProviderOptions', provider);
    api.release('ReleaseSessionOptions', options);
  }
}

function openOrRefuse<Opened>(open: () => Opened): Opened {
  try {
    return open();
  } catch (error) {
    const failure = cudaFailure((error as Error).message);
    if (failure)
      throw new NoGpu(
        `CUDA does not compute with this driver and this GPU (${failure}): nvidia-smi says which they are, and whether they work`,
        { cause: error },
      );
    throw new NoGpu(
      `CUDA's libraries cannot be loaded (${reasonOf(error as Error)}): ${gpuCommand()} fetches all of them`,
      { cause: error },
    );
  }
}

/** ONNX Runtime says where in its sources it is before it says what the system's loader said. */
const reasonOf = ({ message }: Error): string => message.replace(/^[^]*with error: /, '').trim();

const versionOf = (folder: string): string =>
  (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
