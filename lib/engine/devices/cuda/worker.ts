/** The CUDA device's worker thread. */
import { openDriver } from './driver.js';
import { openCudaLibraries } from './libraries.js';
import { serveCuda } from './serve-cuda.js';

serveCuda(() => {
  const memory = openDriver();
  return { memory, api: openCudaLibraries(memory.cudaVersion) };
});
