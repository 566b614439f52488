/**
 * A device that runs programs operation by operation on a backend of TensorFlow.js, in the caller's thread, since a program is a closure.
 * The event loop gets a turn between two runs, and none within one.
 */
import { setImmediate } from 'node:timers/promises';
import type { Tensor } from '@tensorflow/tfjs-core';
import { createTurns } from '../../../turns.js';
import '../../kernels/index.js';
import { moduleOfThisThread } from '../../compiled-module.js';
import type {
  Device,
  DeviceMemory,
  DeviceOptimizer,
  DeviceProgram,
  DeviceStream,
  DeviceTensor,
  Feed,
  HostArray,
  ProgramSource,
} from '../../device.js';
import { EngineError, EngineStopped, reportError } from '../../errors.js';
import { dtypeOf } from '../../graph.js';
import { hostArray } from '../../host-array.js';
import { tf } from '../../tf.js';
import { specsOf } from '../../to-onnx.js';
import { trace, type TensorProgram } from '../../trace.js';
import { checkFits, checkTrainableFits } from './limits.js';
import { stepAdamW, sumOfSquares } from './optimizer.js';
import { Residents, zeros } from './residents.js';

/** What an optimizer keeps for each parameter: itself, its gradient, both moments, and the sums of micro-batches. */
const REGIONS = 5;

export interface TensorFlowOptions {
  /** A backend that is registered with TensorFlow.js; it is current during a call only. */
  backend: string;
  /** See {@link Device.description}. */
  description: string;
  /** Float32 numbers that fit into the backend's memory; Infinity where that is not known. */
  mostNumbers: number;
}

export class TensorFlowDevice implements Device {
  readonly name = 'tensorflow';
  readonly freeBytes = Infinity;
  readonly cacheStep = 1;
  readonly description: string;
  readonly mostNumbers: number;
  readonly #backend: string;
  readonly #programs = new Map<number, { program: TensorProgram; constants: Record<string, Tensor> }>();
  readonly #residents = new Residents();
  #lastProgram = 0;
  /** Settles when the last call is answered. */
  readonly #inTurn = createTurns();
  #ended: EngineStopped | undefined;

  constructor({ backend, description, mostNumbers }: TensorFlowOptions) {
    this.#backend = backend;
    this.description = description;
    this.mostNumbers = mostNumbers;
  }

  compile({ program, inputs, constants }: ProgramSource): Promise<DeviceProgram> {
    return this.#call(() => {
      const { outputs } = trace(program, { ...inputs, ...specsOf(constants) });
      const kept = Object.entries(constants).map(
        ([name, constant]) => [name, tf.keep(tensorOf(constant))] as const,
      );
      const handle = ++this.#lastProgram;
      this.#programs.set(handle, { program, constants: Object.fromEntries(kept) });
      // Also those whose values no output depends on: the program's operations on them run all the same.
      return { handle, outputs, reads: new Set(Object.keys(inputs)) };
    });
  }

  load(): Promise<number> {
    return Promise.reject(
      new Error(
        'the device tensorflow runs programs of TensorFlow.js and no ONNX models: load this one on a CpuDevice',
      ),
    );
  }

  run(
    program: number,
    feeds: Record<string, Feed>,
    into: Record<string, DeviceTensor>,
  ): Promise<Record<string, HostArray>> {
    return this.#call(() => {
      const compiled = this.#programs.get(program);
      if (!compiled) throw new RangeError(`there is no program ${program}: it has been unloaded`);
      const inputs: Record<string, Tensor> = { ...compiled.constants };
      for (const [name, feed] of Object.entries(feeds))
        inputs[name] = 'data' in feed ? tensorOf(feed) : this.#residents.get(feed);
      const outputs = Object.entries(compiled.program(inputs));
      const results: Record<string, HostArray> = {};
      for (const [name, output] of outputs) {
        if (name in into) this.#residents.set(into[name], output);
        else results[name] = hostArray(output).slice();
      }
      // A program that makes gradients keeps what its loss is made of beyond its scope (`tf.keep`).
      const given = new Set(Object.values(inputs));
      for (const [, output] of outputs) if (output.kept && !given.has(output)) output.dispose();
      return results;
    });
  }

  unload(program: number): Promise<void> {
    return this.#free(() => {
      tf.dispose(this.#programs.get(program)?.constants ?? {});
      this.#programs.delete(program);
    });
  }

  checkAllocation(shapes: Iterable<readonly number[]>, what: string): void {
    checkFits(what, shapes, this.mostNumbers);
  }

  checkOptimizer(shapes: Iterable<readonly number[]>): void {
    checkTrainableFits(shapes, REGIONS, this.mostNumbers);
  }

  async allocate<Name extends string>(
    shapes: Iterable<readonly [Name, readonly number[]]>,
    what = 'what is to be kept together',
  ): Promise<DeviceMemory<Name>> {
    const named = [...shapes];
    this.checkAllocation(
      named.map(([, shape]) => shape),
      what,
    );
    const { handle, tensors } = await this.#call(() => this.#residents.allocate(named));
    return { tensors, release: () => this.#free(() => this.#residents.release(handle)) };
  }

  read(source: DeviceTensor): Promise<HostArray> {
    return this.#call(() => hostArray(this.#residents.get(source)).slice());
  }

  write(target: DeviceTensor, data: HostArray): Promise<void> {
    const { shape } = target;
    return this.#call(() => this.#residents.set(target, tensorOf({ data, shape })));
  }

  clear(target: DeviceTensor): Promise<void> {
    return this.#call(() => this.#residents.set(target, zeros(target.shape)));
  }

  async openOptimizer(shapes: Iterable<readonly [string, readonly number[]]>): Promise<DeviceOptimizer> {
    const named = [...shapes];
    this.checkOptimizer(named.map(([, shape]) => shape));
    const open = () => this.#residents.allocate(named);
    const [parameters, gradients, means, squares] = await this.#call(() => [open(), open(), open(), open()]);
    /** The sums of micro-batches; where none are summed they take no memory. */
    let totals: ReturnType<typeof open> | undefined;
    const variables = ({ handle }: { handle: number }) => this.#residents.variablesOf(handle);
    const summed = () => variables(totals ?? gradients);
    const releaseTotals = () => {
      if (totals) this.#residents.release(totals.handle);
      totals = undefined;
    };
    return {
      parameters: parameters.tensors,
      gradients: gradients.tensors,
      means: means.tensors,
      squares: squares.tensors,
      accumulate: () =>
        this.#call(() => {
          totals ??= open();
          const sums = variables(totals);
          variables(gradients).forEach((gradient, i) => sums[i].assign(tf.add(sums[i], gradient)));
        }),
      sumOfSquares: () => this.#call(() => sumOfSquares(summed())),
      step: (update) =>
        this.#call(() => {
          const [p, g, m, v] = [variables(parameters), summed(), variables(means), variables(squares)];
          stepAdamW(
            p.map((parameter, i) => ({ parameter, gradient: g[i], mean: m[i], square: v[i] })),
            update,
          );
          releaseTotals();
        }),
      release: () =>
        this.#free(() => {
          for (const { handle } of [parameters, gradients, means, squares]) this.#residents.release(handle);
          releaseTotals();
        }),
    };
  }

  async *stream<Event>(module: string, args: unknown): AsyncGenerator<Event> {
    if (this.#ended) throw this.#ended;
    const asked = new Error();
    try {
      const { stream } = (await import(moduleOfThisThread(module, import.meta.url))) as {
        stream: DeviceStream;
      };
      yield* stream(this, structuredClone(args) as never) as AsyncGenerator<Event>;
    } catch (error) {
      throw this.#explained(error, asked);
    }
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = new EngineStopped('the device tensorflow has been closed');
    for (const { constants } of this.#programs.values()) tf.dispose(constants);
    this.#programs.clear();
    this.#residents.releaseAll();
  }

  /** Does what is asked in its turn, on the device's backend, and lets go of the tensors that it made and did not keep. */
  #call<Result>(work: () => Result): Promise<Result> {
    const asked = new Error();
    return this.#inTurn(async () => {
      await setImmediate();
      if (this.#ended) throw this.#ended;
      try {
        return onBackend(this.#backend, work);
      } catch (error) {
        throw this.#explained(error, asked);
      }
    });
  }

  /** Of a device that is closed nothing is left to free. */
  async #free(work: () => void): Promise<void> {
    try {
      await this.#call(work);
    } catch (error) {
      if (!(error instanceof EngineStopped)) throw error;
    }
  }

  #explained(error: unknown, asked: Error): Error {
    if (error instanceof EngineError || error instanceof EngineStopped) return error;
    return new EngineError(reportError(error), asked);
  }
}

/** The array is copied: a backend keeps the one that it is given, and its owner may change it. */
function tensorOf({ data, shape }: { data: HostArray; shape: readonly number[] }): Tensor {
  return tf.tensor(data.slice(), [...shape], dtypeOf(data));
}

/** Backends are global to a process: whoever traces or computes next finds the one from before. */
function onBackend<Result>(backend: string, work: () => Result): Result {
  const before = tf.getBackend();
  void tf.setBackend(backend);
  tf.engine().startScope();
  try {
    return work();
  } finally {
    tf.engine().endScope();
    if (before) void tf.setBackend(before);
  }
}
