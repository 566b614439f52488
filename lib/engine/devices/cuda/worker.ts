/** The CUDA device's worker thread. */
import { openDriver } from './driver.js';
import { openCudaLibraries } from './libraries.js';
import { serveCuda } from './serve-cuda.js';

serveCuda(() => {
  const memory = openDriver();
  try {
    return { memory, api: openCudaLibraries(memory.cudaVersion) };
  } catch (error) {
    // A process that goes on without the GPU leaves its memory to others.
    memory.close();
    throw error;
  }
});
