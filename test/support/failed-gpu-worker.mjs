// The CUDA device's worker on a GPU that fails once it is open: nothing can be waited for, and who frees something ends the process.
import { serveHostMemory } from './serve-host-memory.mjs';

/** A thread has no process.abort. */
const abort = () => process.kill(process.pid, 'SIGABRT');
serveHostMemory({
  synchronize() {
    throw new Error('cuCtxSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS');
  },
  free: abort,
  close: abort,
});
