export { compile, traceGraph, type Compiled, type CompileOptions } from './compile.js';
export { gelu, layerNorm, timeMajorMatMul } from './fused.js';
export { compiledModule } from './compiled-module.js';
export { addAtLabels, atLabels, logSoftmax } from './label-ops.js';
export { defaultHost, defaultThreads, EngineHost, type ResidentTensors } from './host.js';
export type { Feed, HostArray, Resident, WorkerThread } from './protocol.js';
export { conv1d, convTranspose1d, lstm, type LstmState } from './sequence.js';
export { type InputSpec, type TensorProgram } from './trace.js';
export { tf } from './tf.js';
