/**
 * Parameters, gradients and AdamW's moments in WebAssembly memories, and the kernel that works on them there. One memory holds those of 214
 * million parameters; a larger model's lie in several.
 */
import { openParts, releaseAll } from '../../../release.js';
import type { AdamWUpdate, DeviceMemory, DeviceOptimizer } from '../../device.js';
import { ADAMW_KERNEL } from './adamw-kernel.js';
import type { CpuCalls } from './calls.js';
import { inMemories } from './limits.js';

/** What the memory holds, one region after the other. "total": sums of the gradients of a step's micro-batches. */
export const OPTIMIZER_REGIONS = ['parameter', 'gradient', 'mean', 'square', 'total'] as const;

/** One WebAssembly memory. */
export interface CpuMemory<Name extends string> extends DeviceMemory<Name> {
  readonly handle: number;
  readonly byteLength: number;
}

/** What the optimizer asks of the worker thread. */
interface CpuThread {
  allocate(shapes: Iterable<readonly [string, readonly number[]]>, what: string): Promise<CpuMemory<string>>;
  call<M extends keyof CpuCalls>(
    method: M,
    ...args: Parameters<CpuCalls[M]>
  ): Promise<ReturnType<CpuCalls[M]>>;
}

/**
 * @param memoryBytes of one memory; default as much as WebAssembly has
 * @throws Error in one sentence when the regions of one parameter do not fit into one memory
 */
export function openCpuOptimizer(
  thread: CpuThread,
  shapes: readonly (readonly [string, readonly number[]])[],
  memoryBytes?: number,
): Promise<DeviceOptimizer> {
  return openParts(async (opened) => {
    const parts: DeviceOptimizer[] = [];
    for (const group of inMemories(shapes, OPTIMIZER_REGIONS.length, memoryBytes)) {
      const part = await openInOneMemory(thread, group);
      opened.push(() => part.release());
      parts.push(part);
    }
    const together = (region: 'parameters' | 'gradients' | 'means' | 'squares') =>
      new Map(parts.flatMap((part) => [...part[region]]));
    return {
      parameters: together('parameters'),
      gradients: together('gradients'),
      means: together('means'),
      squares: together('squares'),
      async accumulate() {
        for (const part of parts) await part.accumulate();
      },
      async sumOfSquares() {
        let sum = 0;
        for (const part of parts) sum += await part.sumOfSquares();
        return sum;
      },
      async step(update) {
        for (const part of parts) await part.step(update);
      },
      release: () => releaseAll(parts.map((part) => () => part.release())),
    };
  });
}

function openInOneMemory(
  thread: CpuThread,
  shapes: readonly (readonly [string, readonly number[]])[],
): Promise<DeviceOptimizer> {
  return openParts(async (opened) => {
    const memory = await thread.allocate(
      OPTIMIZER_REGIONS.flatMap((region) =>
        shapes.map(([name, shape]) => [`${region}/${name}`, shape] as const),
      ),
      'a training',
    );
    opened.push(memory.release);
    const kernel = await thread.call('instantiate', memory.handle, ADAMW_KERNEL);
    const size = memory.byteLength / OPTIMIZER_REGIONS.length;
    const [parameter, gradient, mean, square, total] = OPTIMIZER_REGIONS.map((_, index) => index * size);
    const tensorsOf = (region: (typeof OPTIMIZER_REGIONS)[number]) =>
      new Map(shapes.map(([name]) => [name, memory.tensors.get(`${region}/${name}`)!]));
    /** Where a step finds its gradients. */
    let source = gradient;
    return {
      parameters: tensorsOf('parameter'),
      gradients: tensorsOf('gradient'),
      means: tensorsOf('mean'),
      squares: tensorsOf('square'),
      async accumulate() {
        await thread.call('call', kernel, 'accumulate', [total, gradient, total + size]);
        source = total;
      },
      sumOfSquares: () => thread.call('call', kernel, 'sum_of_squares', [source, source + size]),
      async step(update) {
        const places = [parameter, parameter + size, source, mean, square];
        await thread.call('call', kernel, 'step', [...places, ...scalarsOf(update)]);
        if (source === total) await thread.call('clear', memory.handle, total, size);
        source = gradient;
      },
      release: memory.release,
    };
  });
}

/** In the order in which the kernel takes them. */
function scalarsOf(update: AdamWUpdate): number[] {
  const { gradientScale, decay, oneMinusBeta1, beta2, oneMinusBeta2, root, epsilon, step } = update;
  return [gradientScale, decay, oneMinusBeta1, beta2, oneMinusBeta2, root, epsilon, step];
}
