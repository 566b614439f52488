/** Parameters, gradients and AdamW's moments in regions of the GPU's memory, and the kernels that work on them there. */
import { openParts, releaseAll } from '../../../release.js';
import type { AdamWUpdate, DeviceMemory, DeviceOptimizer } from '../../device.js';
import { BYTES_OF_FLOAT, sideBySide } from '../side-by-side.js';
import type { OptimizerHandles } from './calls.js';
import { ALIGNMENT } from './limits.js';

/** Each is an allocation of its own. "total": sums of the gradients of a step's micro-batches. */
export const OPTIMIZER_REGIONS = ['parameters', 'gradients', 'means', 'squares', 'totals'] as const;

/** What the optimizer asks of the device. */
interface CudaThread {
  allocate(
    shapes: Iterable<readonly [string, readonly number[]]>,
    what: string,
  ): Promise<DeviceMemory & { handle: number }>;
  zero(handle: number, count: number): Promise<void>;
  accumulate(totals: number, gradients: number, count: number): Promise<void>;
  sumOfSquares(region: number, count: number): Promise<number>;
  adamw(regions: OptimizerHandles, update: AdamWUpdate): Promise<void>;
}

/** @throws Error in one sentence when the regions do not fit into the GPU's memory */
export function openCudaOptimizer(
  thread: CudaThread,
  shapes: readonly (readonly [string, readonly number[]])[],
): Promise<DeviceOptimizer> {
  return openParts(async (opened) => {
    const regions = new Map<string, DeviceMemory & { handle: number }>();
    for (const region of OPTIMIZER_REGIONS) {
      const memory = await thread.allocate(shapes, `the ${region} of a training`);
      opened.push(memory.release);
      regions.set(region, memory);
    }
    const [parameters, gradients, means, squares, totals] = OPTIMIZER_REGIONS.map((region) =>
      regions.get(region)!,
    );
    const count = sideBySide(shapes, ALIGNMENT).byteLength / BYTES_OF_FLOAT;
    /** Where a step finds its gradients. */
    let source = gradients;
    return {
      parameters: parameters.tensors,
      gradients: gradients.tensors,
      means: means.tensors,
      squares: squares.tensors,
      async accumulate() {
        await thread.accumulate(totals.handle, gradients.handle, count);
        source = totals;
      },
      sumOfSquares: () => thread.sumOfSquares(source.handle, count),
      async step(update) {
        const handles = { parameters: parameters.handle, means: means.handle, squares: squares.handle };
        await thread.adamw({ ...handles, gradients: source.handle, count }, update);
        if (source === totals) await thread.zero(totals.handle, count);
        source = gradients;
      },
      release: () => releaseAll(opened),
    };
  });
}
