/** The CPU: ONNX Runtime, WebAssembly memory and AdamW's loop in a worker thread. This is the main thread's side of it. */
import '../no-telemetry.js';
import { createTurns } from '../../../turns.js';
import { compiledModule } from '../../compiled-module.js';
import type {
  Device,
  DeviceMemory,
  DeviceOptimizer,
  DeviceProgram,
  DeviceTensor,
  Feed,
  HostArray,
  ProgramSource,
} from '../../device.js';
import { freeArrays, lendArrays } from '../../free-arrays.js';
import { elementCount, type Constant } from '../../graph.js';
import type { FloatTensor } from '../../host-tensor.js';
import { quantizeWeights } from '../../quantize.js';
import { toOnnx } from '../../to-onnx.js';
import { arrayAddress } from '../ort/native.js';
import { BYTES_OF_FLOAT, sideBySide } from '../side-by-side.js';
import { wholeBuffer } from '../thread/owned.js';
import { ThreadDevice } from '../thread/thread-device.js';
import type { CpuCalls, LentArray } from './calls.js';
import { ALIGNMENT, MOST_NUMBERS, bytesOf, checkBytes, checkTrainableShapes } from './limits.js';
import { OPTIMIZER_REGIONS, openCpuOptimizer, type CpuMemory } from './optimizer.js';
import { checkThreads, defaultThreads } from './threads.js';

/** Constants from here on are read where they are. Of smaller ones a copy costs less than asking for each. */
const LENT_BYTES = 2 ** 16;

/** Numbers that a write moves at once. */
const STAGED = 2 ** 18;

const lentArray = (data: ArrayBufferView): LentArray => ({
  place: arrayAddress(data),
  byteLength: data.byteLength,
});

/** ONNX Runtime's CPU kernels and WebAssembly memory in one worker thread, on any machine. */
export class CpuDevice extends ThreadDevice<CpuCalls> implements Device {
  readonly name = 'cpu';
  readonly freeBytes: number = Infinity;
  readonly mostNumbers = MOST_NUMBERS;
  readonly cacheStep: number = 1;
  readonly int8 = true;
  readonly #staging = new SharedArrayBuffer(STAGED * BYTES_OF_FLOAT);
  readonly #inTurn = createTurns();
  /** By program, or by the first of memories that go together: what lets go of the arrays that are read there. */
  readonly #lent = new Map<number, () => void>();

  /**
   * @param threads threads for one operator; default as the environment and the machine have it
   * @throws Error in one sentence for what is no number of threads
   */
  constructor(readonly threads = defaultThreads()) {
    super(compiledModule('./worker.js', import.meta.url));
    checkThreads(threads);
  }

  /** "the CPU, 2 threads" */
  get description(): string {
    return `the CPU, ${this.threads} ${this.threads === 1 ? 'thread' : 'threads'}`;
  }

  async compile(source: ProgramSource): Promise<DeviceProgram> {
    const rewrite = source.int8 ? quantizeWeights : undefined;
    // Numbers of 8 bits are rounded for as many rows as are traced.
    const isOpen = !source.int8 && Object.values(source.inputs).some(({ openAxes }) => openAxes);
    const { model, outputs, reads, apart } = toOnnx(source, { rewrite, apartFrom: LENT_BYTES, isOpen });
    const given = Object.values(source.constants).filter(({ memory }) => memory === 'given');
    const [handle] = await Promise.all([
      // First: what it lends is not freed meanwhile.
      this.load(model, apart, { ...source, packs: source.int8 || source.packs }),
      freeArrays(given.map(({ data }) => data)),
    ]);
    return { handle, outputs, reads, isOpen };
  }

  /**
   * @param lent constants that the model leaves out: ONNX Runtime reads them where they are, until the program is unloaded
   * @param options as a program's
   */
  async load(
    model: Uint8Array,
    lent: readonly Constant[] = [],
    { packs = true, keepsRoom = false }: Pick<ProgramSource, 'packs' | 'keepsRoom'> = {},
  ): Promise<number> {
    const constants = lent.map(({ name, shape, dtype, data }) => ({
      name,
      shape,
      dtype,
      ...lentArray(data),
    }));
    const settings = { threads: this.threads, sharesArena: keepsRoom, packs };
    const [program] = await this.#lendTo(lent, async () => {
      return [await this.callMoving(wholeBuffer(model), 'createSession', model, constants, settings)];
    });
    return program;
  }

  async lend<Name extends string>(
    tensors: Iterable<readonly [Name, Pick<FloatTensor, 'shape' | 'data'>]>,
  ): Promise<DeviceMemory<Name>> {
    const named = [...tensors];
    for (const [name, { shape, data }] of named)
      if (data.length !== elementCount(shape))
        throw new TypeError(`tensor ${name} has ${data.length} values for shape [${shape}]`);
    const arrays = named.map(([, { data }]) => lentArray(data));
    const memories = await this.#lendTo(
      named.map(([, tensor]) => tensor),
      () => this.call('lend', arrays),
    );
    return {
      tensors: new Map(
        named.map(([name, { shape }], i) => [
          name,
          { handle: memories[i], start: 0, shape, dtype: 'float32' },
        ]),
      ),
      release: async () => {
        await this.callToFree('giveBack', memories);
        await this.#untilNotRead();
        this.#giveBack(memories[0]);
      },
    };
  }

  /** Keeps arrays where they are for what a call makes in the worker, until `#giveBack` of the first of it. */
  async #lendTo(
    lent: readonly { data: ArrayBufferView }[],
    make: () => Promise<number[]>,
  ): Promise<number[]> {
    const giveBack = lendArrays(lent.map(({ data }) => data));
    try {
      const made = await make();
      this.#lent.set(made[0], giveBack);
      return made;
    } catch (error) {
      await this.#untilNotRead();
      giveBack();
      throw error;
    }
  }

  /** Runs a program; see {@link Device.run}. */
  run(
    program: number,
    feeds: Record<string, Feed>,
    into: Record<string, DeviceTensor>,
  ): Promise<Record<string, HostArray>> {
    return this.call('run', program, feeds, into);
  }

  async unload(program: number): Promise<void> {
    await this.callToFree('releaseSession', program);
    await this.#untilNotRead();
    this.#giveBack(program);
  }

  /** Waits for a worker that is being closed: it answers nobody any more, but may be in the middle of reading what is lent. */
  async #untilNotRead(): Promise<void> {
    if (!this.isOpen) await super.close();
  }

  #giveBack(made: number): void {
    this.#lent.get(made)?.();
    this.#lent.delete(made);
  }

  override async close(): Promise<void> {
    await super.close();
    for (const made of this.#lent.keys()) this.#giveBack(made);
  }

  checkAllocation(shapes: Iterable<readonly number[]>, what: string): void {
    checkBytes(what, bytesOf(shapes));
  }

  checkOptimizer(shapes: Iterable<readonly number[]>): void {
    checkTrainableShapes([...shapes], OPTIMIZER_REGIONS.length);
  }

  /** Tensors start at multiples of 64 bytes in one WebAssembly memory. */
  async allocate<Name extends string>(
    shapes: Iterable<readonly [Name, readonly number[]]>,
    what = 'what is to be kept together',
  ): Promise<CpuMemory<Name>> {
    const { places, byteLength } = sideBySide(shapes, ALIGNMENT);
    checkBytes(what, byteLength);
    const handle = await this.call('createMemory', byteLength);
    const tensors = new Map<Name, DeviceTensor>(
      places.map(({ name, start, shape }) => [name, { handle, start, shape, dtype: 'float32' }]),
    );
    return { handle, byteLength, tensors, release: () => this.callToFree('releaseMemory', handle) };
  }

  read(source: DeviceTensor): Promise<HostArray> {
    return this.call('read', source);
  }

  /**
   * Replaces a tensor's values, by way of memory that both threads see: copies that come with messages would stay with the worker thread until
   * its garbage is collected, which are hundreds of megabytes where a model's weights are written.
   */
  write(target: DeviceTensor, data: HostArray): Promise<void> {
    return this.#inTurn(() => this.#writeParts(target, data));
  }

  async #writeParts({ handle, start, shape, dtype }: DeviceTensor, data: HostArray): Promise<void> {
    if (data.length > elementCount(shape))
      throw new RangeError(`${data.length} numbers are written to a tensor of [${shape.join(', ')}]`);
    for (let done = 0; done < data.length; done += STAGED) {
      const part = data.subarray(done, done + STAGED);
      const place = { handle, start: start + done, shape: [part.length], dtype };
      const staged = dtype === 'float32' ? new Float32Array(this.#staging) : new Int32Array(this.#staging);
      staged.set(part);
      await this.call('write', place, staged.subarray(0, part.length));
    }
  }

  keepColumns(tensor: DeviceTensor, kept: readonly number[]): Promise<void> {
    return this.call('keepColumns', tensor, kept);
  }

  clear({ handle, start, shape }: DeviceTensor): Promise<void> {
    return this.call('clear', handle, start * BYTES_OF_FLOAT, elementCount(shape) * BYTES_OF_FLOAT);
  }

  async openOptimizer(shapes: Iterable<readonly [string, readonly number[]]>): Promise<DeviceOptimizer> {
    const named = [...shapes];
    this.checkOptimizer(named.map(([, shape]) => shape));
    return openCpuOptimizer(this, named);
  }
}
