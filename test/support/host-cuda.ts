/** The CUDA device without a GPU: its own code from the main thread to ONNX Runtime's C API, with the CPU provider and ordinary memory. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { openCudaWorker, type CudaDevice } from '../../lib/engine/devices/cuda/cuda.js';

/** koffi calls the system's C library by the name that it has on Linux, and there alone CUDA computes. */
export const canRunHostCuda = process.platform === 'linux';

/** The library that onnxruntime-node brings. */
export const ORT_LIBRARY = join(
  dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  ...['bin', 'napi-v6', process.platform, process.arch, 'libonnxruntime.so.1'],
);

const WORKER = new URL('./host-memory-worker.mjs', import.meta.url).href;

export const openHostCuda = (
  options = { tf32: false, orderedSums: true, graphs: true },
): Promise<CudaDevice> => openCudaWorker(WORKER, options);
