/** The worker thread's side of the CUDA device: owns ONNX Runtime's sessions and the device's memory. */
import type { HostArray } from '../../device.js';
import { elementCount } from '../../graph.js';
import type { Answers } from '../thread/protocol.js';
import { sendNotice, serve } from '../thread/serve.js';
import { Allocations } from './allocations.js';
import type { CudaCalls } from './calls.js';
import { NoGpu } from './driver.js';
import { isOutOfMemory } from './limits.js';
import type { Memory } from './memory.js';
import type { OrtApi } from '../ort/ort-api.js';
import { Program } from './program.js';
import { reasonIn } from './reason.js';
import { openRuntime, type Runtime } from './runtime.js';
import { bytesOf } from './values.js';

/** Tells of the first program that is not captured; others are seldom so for another reason. */
function tellOnce(): Runtime['notCaptured'] {
  let isTold = false;
  return ({ message }) => {
    if (isTold) return;
    isTold = true;
    sendNotice(
      `a program's launches are not captured as a CUDA graph, so that it runs more slowly (${reasonIn(message)}); further ones are not told`,
    );
  };
}

/** A device that is open. */
interface Open {
  runtime: Runtime;
  allocations: Allocations;
  programs: Map<number, Program>;
  free: Float64Array;
}

/**
 * Answers a CUDA device's main thread from now on.
 *
 * @param openNative opens the memory to compute in and ONNX Runtime above it; what it throws as `NoGpu` is why there is no device
 */
export function serveCuda(openNative: () => { memory: Memory; api: OrtApi }): void {
  let opened: Open | undefined;
  let nextProgram = 1;
  const device = (): Open => {
    if (!opened) throw new TypeError('the CUDA device is not open');
    return opened;
  };
  const programOf = (handle: number): Program => {
    const program = device().programs.get(handle);
    if (!program)
      throw new TypeError(`the device has no program ${handle}: it was unloaded, or never loaded`);
    return program;
  };
  /** Tells the main thread how much memory is left, where that has changed. */
  const measured = <Result>(work: () => Result): Result => {
    try {
      return work();
    } finally {
      const { free, allocations } = device();
      free[0] = allocations.free;
    }
  };

  /**
   * On a GPU that has failed nothing can be freed, and ONNX Runtime ends the process where it tries. Who waited for the failure knows of it, and
   * is not to be told of another.
   */
  const whereItWorks = (free: () => void): void => {
    try {
      device().runtime.memory.synchronize();
    } catch {
      return;
    }
    free();
  };

  /** Where the memory is full, what is kept for later is given back, and the work is tried again. */
  const withRoom = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      if (!isOutOfMemory(error as Error)) throw error;
      device().allocations.dropKept();
      return work();
    }
  };

  const answers: Answers<CudaCalls> = {
    open(options, free) {
      try {
        const { memory, api } = openNative();
        const runtime = openRuntime(api, memory, options, tellOnce());
        opened = { runtime, allocations: new Allocations(memory), programs: new Map(), free };
        const { total } = memory.room();
        return measured(() => ({ name: memory.name, totalBytes: total }));
      } catch (error) {
        if (error instanceof NoGpu) return { refused: error.message };
        throw error;
      }
    },
    load: (model, kind) =>
      measured(() => {
        const { runtime, allocations, programs } = device();
        programs.set(
          nextProgram,
          withRoom(() => new Program(runtime, allocations, model, kind)),
        );
        return nextProgram++;
      }),
    unload: (handle) =>
      whereItWorks(() =>
        measured(() => {
          device().programs.get(handle)?.release();
          device().programs.delete(handle);
        }),
      ),
    run(handle, feeds, into) {
      const { allocations } = device();
      const places = Object.entries(into).map(([name, tensor]) => [name, allocations.place(tensor)] as const);
      return withRoom(() => programOf(handle).run(feeds, Object.fromEntries(places)));
    },
    allocate: (byteLength) => measured(() => device().allocations.allocate(byteLength)),
    free: (handle) => whereItWorks(() => measured(() => device().allocations.release(handle))),
    read(source) {
      const { runtime, allocations } = device();
      const count = elementCount(source.shape);
      const into: HostArray = source.dtype === 'float32' ? new Float32Array(count) : new Int32Array(count);
      runtime.memory.read(allocations.place(source).address, into);
      return into;
    },
    write(target, data) {
      const { runtime, allocations } = device();
      // More values than the tensor has would go beyond it.
      const place = allocations.place({
        ...target,
        shape: [Math.max(data.length, elementCount(target.shape))],
      });
      runtime.memory.write(place.address, data);
    },
    clear(target) {
      const { runtime, allocations } = device();
      const place = allocations.place(target);
      runtime.memory.clear(place.address, bytesOf(place));
    },
    accumulate(totals, gradients, count) {
      const { runtime, allocations } = device();
      runtime.memory.accumulate(allocations.addressOf(totals), allocations.addressOf(gradients), count);
    },
    sumOfSquares(region, count) {
      const { runtime, allocations } = device();
      return runtime.memory.sumOfSquares(allocations.addressOf(region), count);
    },
    adamw({ parameters, gradients, means, squares, count }, update) {
      const { runtime, allocations } = device();
      const [p, g, m, v] = [parameters, gradients, means, squares].map((region) =>
        allocations.addressOf(region),
      );
      runtime.memory.adamw({ parameters: p, gradients: g, means: m, squares: v, count }, update);
    },
  };

  serve(
    answers,
    {
      run: async (program, feeds, into) => answers.run(program, feeds, into),
      read: async (source) => answers.read(source),
    },
    () => {
      if (!opened) return;
      const { runtime, allocations, programs } = opened;
      whereItWorks(() => {
        for (const program of programs.values()) program.release();
        allocations.releaseAll();
        runtime.closeArena();
        runtime.memory.close();
      });
    },
  );
}
