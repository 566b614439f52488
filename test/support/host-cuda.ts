/** The CUDA device without a GPU: its own code from the main thread to ONNX Runtime's C API, with the CPU provider and ordinary memory. */
import { openCudaWorker, type CudaDevice, type CudaOptions } from '../../lib/engine/devices/cuda/cuda.js';

/** koffi calls the system's C library by the name that it has on Linux, and there alone CUDA computes. */
export const canRunHostCuda = process.platform === 'linux';

const WORKER = new URL('./host-memory-worker.mjs', import.meta.url).href;

export const openHostCuda = (options: CudaOptions = {}): Promise<CudaDevice> =>
  openCudaWorker(WORKER, { tf32: false, orderedSums: true, graphs: true, ...options });
