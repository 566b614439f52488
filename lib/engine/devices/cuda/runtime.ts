/** ONNX Runtime as the CUDA device sets it up: one environment, one arena that sessions share, and what a session is opened with. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { openArena, SHARES_ARENA } from '../ort/arena.js';
import type { Memory } from './memory.js';
import type { Address } from '../ort/native.js';
import {
  ALL_OPTIMIZATIONS,
  DEFAULT_MEMORY,
  DEVICE_ALLOCATOR,
  ERRORS_ONLY,
  type OrtApi,
} from '../ort/ort-api.js';
import { SWITCHED_OFF } from '../ort/switched-off.js';

/** How programs compute. */
export interface RuntimeOptions {
  /** Matrix products round their factors to 10 bits (NVIDIA's TF32). */
  tf32: boolean;
  /** Sums are added in an order that is the same in every run. */
  orderedSums: boolean;
  /** Programs whose addresses return are captured as CUDA graphs. */
  graphs: boolean;
  /** The folder for ONNX Runtime's profiles; undefined where it is to write none. */
  profiles?: string;
}

export interface Runtime extends RuntimeOptions {
  readonly api: OrtApi;
  readonly memory: Memory;
  /** Memory infos: the device's memory and the process's. */
  readonly device: Address;
  readonly host: Address;
  /** The allocator that frees what ONNX Runtime allocated for us. */
  readonly allocator: Address;
  /** Tells that a program is not captured as a CUDA graph although it should be, and why. */
  notCaptured(reason: Error): void;
  /** Gives the arena's memory back, once all sessions are released. */
  closeArena(): void;
}

/** What a session may do. */
export interface SessionKind {
  /** It takes the memory of its intermediate results from the arena of the process (arena.ts), and not from one of its own. */
  sharesArena: boolean;
  /** Its launches may be captured as a CUDA graph. */
  captures: boolean;
  /** Its sums have an order by themselves (ordered-sums.ts): ONNX Runtime need not be asked for slower ones that have. */
  hasOrderedSums: boolean;
}

export function openRuntime(
  api: OrtApi,
  memory: Memory,
  options: RuntimeOptions,
  notCaptured: Runtime['notCaptured'],
): Runtime {
  const place = memory.provider === 'CUDA' ? 'Cuda' : 'Cpu';
  const info = (name: string, allocator: number) =>
    api.get('CreateMemoryInfo', name, allocator, 0, DEFAULT_MEMORY);
  return {
    ...options,
    api,
    memory,
    notCaptured,
    device: info(place, DEVICE_ALLOCATOR),
    host: info('Cpu', DEVICE_ALLOCATOR),
    allocator: api.get('GetAllocatorWithDefaultOptions'),
    closeArena: openArena(api, memory.provider),
  };
}

/** @throws Error with ONNX Runtime's sentence when it does not take the model */
export function openSession(runtime: Runtime, model: Uint8Array, kind: SessionKind): Address {
  const { api } = runtime;
  const options = api.get('CreateSessionOptions');
  try {
    api.call('SetSessionLogSeverityLevel', options, ERRORS_ONLY);
    api.call('SetSessionGraphOptimizationLevel', options, ALL_OPTIMIZATIONS);
    // Each session has threads of its own: on the GPU one does for what is left to the CPU.
    if (runtime.memory.provider === 'CUDA') api.call('SetIntraOpNumThreads', options, 1);
    // Else a session would ask the arena for one block as large as all of a run's results together.
    api.call('DisableMemPattern', options);
    api.call('SetDeterministicCompute', options, runtime.orderedSums && !kind.hasOrderedSums);
    const entries = {
      // Constants lie outside of the arena.
      'session.use_device_allocator_for_initializers': '1',
      ...SWITCHED_OFF,
      ...(kind.sharesArena && SHARES_ARENA),
    };
    for (const [key, value] of Object.entries(entries))
      api.call('AddSessionConfigEntry', options, key, value);
    // It adds only the second to the name.
    if (runtime.profiles !== undefined)
      api.call('EnableProfiling', options, join(runtime.profiles, randomUUID()));
    appendProvider(runtime, options, kind);
    return api.get('CreateSessionFromArray', api.env, model, model.byteLength, options);
  } finally {
    api.release('ReleaseSessionOptions', options);
  }
}

function appendProvider({ api, memory, tf32 }: Runtime, options: Address, { captures }: SessionKind): void {
  if (memory.provider === 'CPU') return;
  const provider = api.get('CreateCUDAProviderOptions');
  const values: Record<string, string> = {
    device_id: '0',
    use_tf32: tf32 ? '1' : '0',
    enable_cuda_graph: captures ? '1' : '0',
    arena_extend_strategy: 'kSameAsRequested',
    // EXHAUSTIVE, the default, times algorithms and takes the fastest: another one in another process, with other bits.
    cudnn_conv_algo_search: 'HEURISTIC',
  };
  try {
    const keys = Object.keys(values);
    api.call('UpdateCUDAProviderOptions', provider, keys, Object.values(values), keys.length);
    api.call('SessionOptionsAppendExecutionProvider_CUDA_V2', options, provider);
  } finally {
    api.release('ReleaseCUDAProviderOptions', provider);
  }
}
