export { compile, traceGraph, type Compiled, type CompileOptions } from './compile.js';
export { gelu, layerNorm, timeMajorMatMul } from './fused.js';
export { defaultHost, EngineHost, type ResidentTensors } from './host.js';
export type { HostArray, Resident } from './protocol.js';
export { conv1d, convTranspose1d, lstm, type LstmState } from './sequence.js';
export { type InputSpec, type TensorProgram } from './trace.js';
export { tf } from './tf.js';
