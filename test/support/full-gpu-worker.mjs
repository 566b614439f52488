// The CUDA device's worker on a GPU whose memory others have filled.
import { serveHostMemory } from './serve-host-memory.mjs';

serveHostMemory({
  allocate() {
    throw new Error('cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY');
  },
});
