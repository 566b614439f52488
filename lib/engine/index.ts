/**
 * `speech-dpo/engine`: TensorFlow.js programs compiled to ONNX, with their gradients, on a device.
 *
 *     const device = new CpuDevice();
 *     const f = await compile(({ x }) => ({ y: tf.square(x) }), { x: { shape: [3], dtype: 'float32' } }, { device });
 *     const { y } = await f({ x: Float32Array.of(1, 2, 3) });
 *     await device.close();
 */
export { compile, programBytes, traceGraph, type Compiled, type CompileOptions } from './compile.js';
export {
  checkInt8,
  partOf,
  type AdamWUpdate,
  type Device,
  type DeviceMemory,
  type DeviceOptimizer,
  type DeviceProgram,
  type DeviceStream,
  type DeviceTensor,
  type DeviceThread,
  type Feed,
  type HostArray,
  type ProgramConstant,
  type ProgramSource,
} from './device.js';
export {
  chooseDevice,
  deviceChoices,
  deviceFromEnvironment,
  parseDeviceChoice,
  type ChosenDevice,
  type DeviceChoice,
} from './devices/choose.js';
export { CpuDevice } from './devices/cpu/cpu.js';
export { openCuda, type CudaOptions } from './devices/cuda/cuda.js';
export { defaultThreads } from './devices/cpu/threads.js';
export { openTensorFlow } from './devices/tensorflow/tensorflow.js';
export { closeDevices } from './devices/thread/thread-device.js';
export type { DeferredTensor, FloatTensor, HostTensor, IntegerTensor } from './host-tensor.js';
export { evaluateFloat64, exactScalar, traceFloat64, type Float64Formula } from './float64.js';
export { gelu, layerNorm, timeMajorMatMul } from './fused.js';
export { keepPrograms, type KeptPrograms } from './kept-programs.js';
export { compiledModule } from './compiled-module.js';
export { addAtLabels, atLabels, logSoftmax } from './label-ops.js';
export { splitRows } from './split-rows.js';
export { EngineError, EngineStopped } from './errors.js';
export { conv1d, gatesOfTorch, lstm, type LstmState } from './sequence.js';
export { type InputSpec, type TensorProgram } from './trace.js';
export { tf } from './tf.js';
