// Serves the CUDA device on ONNX Runtime's CPU provider, with the library that onnxruntime-node brings.
import { openHostMemory } from './host-memory.mjs';

const devices = '../../dist/lib/engine/devices/';
const { openOrtApi } = await import(`${devices}ort/ort-api.js`);
const { findOrtLibrary } = await import(`${devices}ort/library.js`);
const { serveCuda } = await import(`${devices}cuda/serve-cuda.js`);

/** @param faults what the memory does in place of its own */
export function serveHostMemory(faults = {}) {
  serveCuda(() => ({ memory: { ...openHostMemory(), ...faults }, api: openOrtApi(findOrtLibrary()) }));
}
