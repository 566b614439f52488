// The CUDA device's worker on ONNX Runtime's CPU provider, with the library that onnxruntime-node brings.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { openHostMemory } from './host-memory.mjs';

const library = '../../dist/lib/engine/devices/cuda/';
const { openOrtApi } = await import(`${library}ort-api.js`);
const { serveCuda } = await import(`${library}serve-cuda.js`);

const folder = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
const path = join(folder, 'bin', 'napi-v6', process.platform, process.arch, 'libonnxruntime.so.1');
serveCuda(() => ({ memory: openHostMemory(), api: openOrtApi(path) }));
