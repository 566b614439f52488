// The CUDA device's worker on a GPU that fails once it is open: nothing can be waited for, and who frees something ends the process.
import { openHostMemory } from './host-memory.mjs';

const devices = '../../dist/lib/engine/devices/';
const { openOrtApi } = await import(`${devices}ort/ort-api.js`);
const { findOrtLibrary } = await import(`${devices}ort/library.js`);
const { serveCuda } = await import(`${devices}cuda/serve-cuda.js`);

const synchronize = () => {
  throw new Error('cuCtxSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS');
};
/** A thread has no process.abort. */
const abort = () => process.kill(process.pid, 'SIGABRT');
serveCuda(() => ({
  memory: { ...openHostMemory(), synchronize, free: abort, close: abort },
  api: openOrtApi(findOrtLibrary()),
}));
