// The CUDA device's worker on a GPU whose memory others have filled.
import { openHostMemory } from './host-memory.mjs';

const devices = '../../dist/lib/engine/devices/';
const { openOrtApi } = await import(`${devices}ort/ort-api.js`);
const { findOrtLibrary } = await import(`${devices}ort/library.js`);
const { serveCuda } = await import(`${devices}cuda/serve-cuda.js`);

const allocate = () => {
  throw new Error('cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY');
};
serveCuda(() => ({ memory: { ...openHostMemory(), allocate }, api: openOrtApi(findOrtLibrary()) }));
