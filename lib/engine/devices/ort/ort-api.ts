/**
 * ONNX Runtime's C API (onnxruntime_c_api.h): a table of functions whose order never changes. Handles are addresses; whoever is given one by
 * a `Create...` function releases it.
 */
import {
  addressesAt,
  functionAt,
  openLibrary,
  result,
  textAt,
  type Address,
  type NativeFunction,
} from './native.js';

/** The version of the table that is asked for; later libraries have it too. It is the first with SetDeterministicCompute. */
const API_VERSION = 18;
/** Functions in the part of the table that is read. */
const TABLE_SIZE = 280;

/** Of ONNX Runtime's logging levels. */
export const ERRORS_ONLY = 3;
/** Of its levels of graph optimization. */
export const ALL_OPTIMIZATIONS = 99;
/** Of a memory info: an allocator without an arena or with one, and the memory that it has by default. */
export const DEVICE_ALLOCATOR = 0;
export const ARENA_ALLOCATOR = 1;
export const DEFAULT_MEMORY = 0;

const POINTER = 'void *';
const TEXT = 'const char *';
const TEXTS = 'const char **';

/** Functions that return a status: place in the table, parameters. */
const CHECKED = {
  CreateEnv: [3, 'int', TEXT, POINTER],
  DisableTelemetryEvents: [6, POINTER],
  CreateSessionFromArray: [8, POINTER, POINTER, 'size_t', POINTER, POINTER],
  Run: [9, POINTER, POINTER, POINTER, POINTER, 'size_t', POINTER, 'size_t', POINTER],
  CreateSessionOptions: [10, POINTER],
  EnableProfiling: [14, POINTER, TEXT],
  DisableMemPattern: [17, POINTER],
  DisableCpuMemArena: [19, POINTER],
  SetSessionLogSeverityLevel: [22, POINTER, 'int'],
  SetSessionGraphOptimizationLevel: [23, POINTER, 'int'],
  SetIntraOpNumThreads: [24, POINTER, 'int'],
  SessionGetInputCount: [30, POINTER, POINTER],
  SessionGetOutputCount: [31, POINTER, POINTER],
  SessionGetInputName: [36, POINTER, 'size_t', POINTER, POINTER],
  SessionGetOutputName: [37, POINTER, 'size_t', POINTER, POINTER],
  CreateRunOptions: [39, POINTER],
  CreateTensorWithDataAsOrtValue: [49, POINTER, POINTER, 'size_t', 'const int64_t *', 'size_t', 'int', POINTER], // prettier-ignore
  GetTensorMutableData: [51, POINTER, POINTER],
  GetTensorElementType: [60, POINTER, POINTER],
  GetDimensionsCount: [61, POINTER, POINTER],
  GetDimensions: [62, POINTER, POINTER, 'size_t'],
  GetTensorTypeAndShape: [65, POINTER, POINTER],
  CreateMemoryInfo: [68, TEXT, 'int', 'int', 'int', POINTER],
  AllocatorFree: [76, POINTER, POINTER],
  GetAllocatorWithDefaultOptions: [78, POINTER],
  AddSessionConfigEntry: [130, POINTER, TEXT, TEXT],
  RunWithBinding: [133, POINTER, POINTER, POINTER],
  CreateIoBinding: [134, POINTER, POINTER],
  BindInput: [136, POINTER, TEXT, POINTER],
  BindOutput: [137, POINTER, TEXT, POINTER],
  BindOutputToDevice: [138, POINTER, TEXT, POINTER],
  GetBoundOutputValues: [140, POINTER, POINTER, POINTER, POINTER],
  AddInitializer: [150, POINTER, TEXT, POINTER],
  CreateArenaCfgV2: [164, TEXTS, 'const size_t *', 'size_t', POINTER],
  AddRunConfigEntry: [165, POINTER, TEXT, TEXT],
  UnregisterAllocator: [177, POINTER, POINTER],
  SessionOptionsAppendExecutionProvider_CUDA_V2: [204, POINTER, POINTER],
  CreateCUDAProviderOptions: [205, POINTER],
  UpdateCUDAProviderOptions: [206, POINTER, TEXTS, TEXTS, 'size_t'],
  AddExternalInitializers: [210, POINTER, TEXTS, POINTER, 'size_t'],
  CreateAndRegisterAllocatorV2: [259, POINTER, TEXT, POINTER, POINTER, TEXTS, TEXTS, 'size_t'],
  SetDeterministicCompute: [273, POINTER, 'bool'],
} as const;

/** Functions that free what their parameter names. */
const RELEASING = {
  ReleaseStatus: 93,
  ReleaseMemoryInfo: 94,
  ReleaseSession: 95,
  ReleaseValue: 96,
  ReleaseRunOptions: 97,
  ReleaseTensorTypeAndShapeInfo: 99,
  ReleaseSessionOptions: 100,
  ReleaseIoBinding: 135,
  ReleaseArenaCfg: 157,
  ReleaseCUDAProviderOptions: 208,
} as const;

type Checked = keyof typeof CHECKED;
type Releasing = keyof typeof RELEASING;

/** ONNX Runtime's functions by their names in C. */
export interface OrtApi {
  /** @throws Error with ONNX Runtime's sentence where the status is not OK */
  call(name: Checked, ...args: unknown[]): void;
  /** As `call`, for a function whose last parameter is where it leaves a handle or a number. */
  get(name: Checked, ...args: unknown[]): Address;
  release(name: Releasing, handle: Address): void;
  /** "1.30.0" */
  readonly version: string;
  /** The process's environment, without which the library logs nowhere and fails. */
  readonly env: Address;
}

/** The functions of an ONNX Runtime library. */
export function openOrtApi(path: string): OrtApi {
  const base = openLibrary(path).functionOf('OrtGetApiBase', POINTER, [])() as Address;
  const [getApi, getVersion] = addressesAt(base, 2);
  const version = functionAt(getVersion, 'const char *', [])() as string;
  const api = functionAt(getApi, POINTER, ['uint32_t'])(API_VERSION) as Address | null;
  if (!api)
    throw new Error(`${path} is ONNX Runtime ${version}, which has no version ${API_VERSION} of its C API`);
  const table = addressesAt(api, TABLE_SIZE);
  const GET_ERROR_MESSAGE = 2;
  const messageOf = functionAt(table[GET_ERROR_MESSAGE], POINTER, [POINTER]);
  const checked = Object.fromEntries(
    Object.entries(CHECKED).map(([name, [place, ...parameters]]) => [
      name,
      functionAt(table[place], POINTER, parameters as readonly string[]),
    ]),
  ) as Record<Checked, NativeFunction>;
  const releasing = Object.fromEntries(
    Object.entries(RELEASING).map(([name, place]) => [name, functionAt(table[place], 'void', [POINTER])]),
  ) as Record<Releasing, NativeFunction>;

  const call: OrtApi['call'] = (name, ...args) => {
    const status = checked[name](...args) as Address | null;
    if (!status) return;
    const message = textAt(messageOf(status) as Address);
    releasing.ReleaseStatus(status);
    throw new Error(message);
  };
  const out = result();
  const get: OrtApi['get'] = (name, ...args) => {
    call(name, ...args, out);
    return out[0];
  };
  const env = get('CreateEnv', ERRORS_ONLY, 'speech-dpo');
  call('DisableTelemetryEvents', env);
  return {
    version,
    env,
    call,
    get,
    release: (name, handle) => void releasing[name](handle),
  };
}
