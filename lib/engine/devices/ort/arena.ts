/**
 * The arena of a process: memory that ONNX Runtime keeps between runs, for the intermediate results of all sessions that share it
 * (`session.use_env_allocators`). What a training needs is then the memory of its largest program and not of all together. Between two runs
 * nothing may lie there: a session whose operators keep something (LSTM, convolutions) must not share it.
 */
import { ARENA_ALLOCATOR, DEFAULT_MEMORY, type OrtApi } from './ort-api.js';

/** Of the configuration of a session that shares it. */
export const SHARES_ARENA = { 'session.use_env_allocators': '1' };

/**
 * ORT's kSameAsRequested and kNextPowerOfTwo. A GPU's memory is taken as soon as it is allocated, so that the arena grows there by what is asked
 * for. Elsewhere it doubles: what nobody has touched takes no memory, and of large blocks programs of other shapes find parts that fit.
 */
const GROWTH = { CUDA: 1n, CPU: 0n };

/**
 * Opens it in the memory of an execution provider.
 *
 * @returns gives its memory back, once all sessions that share it are released
 */
export function openArena(api: OrtApi, provider: 'CPU' | 'CUDA'): () => void {
  const place = provider === 'CUDA' ? 'Cuda' : 'Cpu';
  const info = api.get('CreateMemoryInfo', place, ARENA_ALLOCATOR, 0, DEFAULT_MEMORY);
  const options: Record<string, bigint> = {
    max_mem: 0n,
    arena_extend_strategy: GROWTH[provider],
    // A block that is a mebibyte larger than what is asked for is divided.
    max_dead_bytes_per_chunk: 2n ** 20n,
  };
  const keys = Object.keys(options);
  const arena = api.get('CreateArenaCfgV2', keys, BigUint64Array.from(Object.values(options)), keys.length);
  try {
    api.call('CreateAndRegisterAllocatorV2', api.env, `${provider}ExecutionProvider`, info, arena, [], [], 0);
  } catch (error) {
    // The environment is the process's, and so is its arena: another device of this process has opened it.
    if (!(error as Error).message.includes('already')) throw error;
  } finally {
    api.release('ReleaseArenaCfg', arena);
  }
  return () => {
    try {
      api.call('UnregisterAllocator', api.env, info);
    } catch (error) {
      // It has also closed it.
      if (!(error as Error).message.includes('No allocator')) throw error;
    } finally {
      api.release('ReleaseMemoryInfo', info);
    }
  };
}
