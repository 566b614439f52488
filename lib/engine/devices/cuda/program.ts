/** A program on the device: a session, room for what crosses to and from it, and CUDA graphs of its launches. */
import type { Feed, HostArray } from '../../device.js';
import { Binding } from './binding.js';
import { elementCount, sameShape, type Value } from '../../graph.js';
import { CudaGraphs } from './cuda-graphs.js';
import type { Allocations } from './allocations.js';
import type { Address } from '../ort/native.js';
import { openSession, type Runtime, type SessionKind } from './runtime.js';
import { arrayFor, type HostValues } from '../ort/values.js';
import { bytesOf, type Placed } from './values.js';

/** What a program is, beside its bytes. */
export interface ProgramKind extends SessionKind {
  /** Outputs as the model declares them; null where it is not ours and its runs decide. */
  outputs: readonly Value[] | null;
  /** Inputs have an axis that grows: outputs may be smaller than declared. */
  grows: boolean;
  /** The most bytes of an input, where that is known. */
  inputBytes: Readonly<Record<string, number>>;
}

/** Memory of the device that a program keeps for an input or an output of its own. */
interface Buffer {
  address: Address;
  byteLength: number;
}

type Shaped = Pick<Placed, 'shape' | 'dtype'>;
type Places = (readonly [name: string, tensor: Placed])[];

/** Of `#asDeclared`. */
const MOST_SHAPES = 64;

export class Program {
  readonly #binding: Binding;
  readonly #graphs: CudaGraphs | undefined;
  readonly #buffers = new Map<string, Buffer>();
  /** Shapes of inputs with which all outputs had the shapes that are declared, although inputs grow. */
  readonly #asDeclared = new Set<string>();

  constructor(
    readonly runtime: Runtime,
    readonly allocations: Allocations,
    model: Uint8Array,
    readonly kind: ProgramKind,
  ) {
    const { session, captures } = openCapturing(runtime, model, kind);
    this.#binding = new Binding(runtime, session);
    if (captures) this.#graphs = new CudaGraphs(runtime);
  }

  /** As `Device.run`. Arrays are copied to the device; outputs that `into` does not name are copied back. */
  run(
    feeds: Readonly<Record<string, Feed>>,
    into: Readonly<Record<string, Placed>>,
  ): Record<string, HostArray> {
    const { memory } = this.runtime;
    for (const name of Object.keys(feeds))
      if (!this.#binding.inputs.includes(name)) throw new TypeError(`the program has no input "${name}"`);
    const inputs: Places = this.#binding.inputs.map((name) => [name, this.#fed(name, feeds[name])]);
    const shapes = this.#outputShapes(inputs);
    const outputs: Places = [];
    const onHost = new Set<string>();
    for (const name of this.#binding.outputs) {
      const shaped = into[name] ?? shapes?.[name];
      if (!shaped) onHost.add(name);
      else
        outputs.push([name, this.#writesBeside(into[name], inputs) ? into[name] : this.#own(name, shaped)]);
    }

    for (const [name, tensor] of inputs) this.#binding.bind('BindInput', name, tensor);
    for (const [name, tensor] of outputs) this.#binding.bind('BindOutput', name, tensor);
    for (const name of onHost) this.#binding.bindToHost(name);
    // A run has a stream of its own: what was written and launched before has to be there.
    memory.synchronize();
    this.#launch([...inputs, ...outputs], onHost.size > 0);

    const results: Record<string, HostValues> = {};
    for (const [name, tensor] of outputs) {
      if (!(name in into)) memory.read(tensor.address, (results[name] = arrayFor(tensor)));
      else if (into[name].address !== tensor.address)
        memory.copy(into[name].address, tensor.address, bytesOf(tensor));
    }
    if (onHost.size > 0) Object.assign(results, this.#readHost(onHost, inputs));
    return results as Record<string, HostArray>;
  }

  /**
   * Runs the session on what is bound. Where that cannot be captured, or its graph replayed, the program runs launch by launch, now and
   * later: it has not changed what it reads.
   */
  #launch(places: Places, hasMore: boolean): void {
    const graphs = this.#graphs;
    const options = graphs?.optionsFor(places, hasMore) ?? null;
    try {
      this.#binding.run(options);
    } catch (error) {
      if (!graphs || options === graphs.notCaptured()) throw error;
      try {
        this.#binding.run(graphs.notCaptured());
      } catch {
        // The capture was not what failed.
        throw error;
      }
      graphs.stop();
      this.runtime.notCaptured(error as Error);
    }
  }

  #fed(name: string, feed: Feed | undefined): Placed {
    if (!feed) throw new TypeError(`input "${name}" is missing`);
    if (!('data' in feed)) return this.allocations.place(feed);
    const { data, shape } = feed;
    if (data.length !== elementCount(shape))
      throw new TypeError(`input "${name}" has ${data.length} values for shape [${shape.join(', ')}]`);
    const address = this.#buffer(name, Math.max(data.byteLength, this.kind.inputBytes[name] ?? 0));
    this.runtime.memory.write(address, data);
    return { address, shape, dtype: data instanceof Float32Array ? 'float32' : 'int32' };
  }

  /**
   * Whether an output may be written where it is wanted. A run that is captured as a CUDA graph is run several times, so that it must not
   * change what it reads; and where inputs grow, so that their outputs go to another place in every run (a cache), a graph would belong to
   * one run alone. There the program writes into a buffer of its own, which is then copied.
   */
  #writesBeside(wanted: Placed | undefined, inputs: Places): wanted is Placed {
    if (!wanted || this.kind.grows) return false;
    const end = wanted.address + BigInt(bytesOf(wanted));
    return inputs.every(
      ([, { address, ...shaped }]) => end <= address || address + BigInt(bytesOf(shaped)) <= wanted.address,
    );
  }

  #own(name: string, shaped: Shaped): Placed {
    return { ...shaped, address: this.#buffer(name, bytesOf(shaped)) };
  }

  /** At the same address every time, as long as that is large enough: CUDA graphs know addresses. */
  #buffer(name: string, byteLength: number): Address {
    const { memory } = this.runtime;
    const held = this.#buffers.get(name);
    if (held && held.byteLength >= byteLength) return held.address;
    if (held) memory.free(held.address);
    this.#buffers.delete(name);
    const address = memory.allocate(byteLength);
    this.#buffers.set(name, { address, byteLength });
    return address;
  }

  /** Undefined where they are not known before the run: ONNX Runtime then allocates the outputs in the process's memory. */
  #outputShapes(inputs: Places): Readonly<Record<string, Shaped>> | undefined {
    const { outputs, grows } = this.kind;
    if (!outputs || (grows && !this.#asDeclared.has(shapesOf(inputs)))) return undefined;
    return Object.fromEntries(outputs.map((output) => [output.name, output]));
  }

  #readHost(names: ReadonlySet<string>, inputs: Places): Record<string, HostValues> {
    const read = Object.entries(this.#binding.readHost(names));
    const isAsDeclared = read.every(([name, { shape }]) => {
      const declared = this.kind.outputs?.find((output) => output.name === name);
      return declared && sameShape(declared.shape, shape);
    });
    if (isAsDeclared && this.#asDeclared.size < MOST_SHAPES) this.#asDeclared.add(shapesOf(inputs));
    return Object.fromEntries(read.map(([name, { values }]) => [name, values]));
  }

  release(): void {
    this.#binding.release();
    this.#graphs?.release();
    for (const { address } of this.#buffers.values()) this.runtime.memory.free(address);
    this.#buffers.clear();
  }
}

const shapesOf = (places: Places): string =>
  places.map(([name, { shape }]) => `${name}[${shape.join()}]`).join(' ');

/** ONNX Runtime refuses to capture what it does not run on the GPU to the last node: such a program runs launch by launch, which is told. */
function openCapturing(
  runtime: Runtime,
  model: Uint8Array,
  kind: SessionKind,
): { session: Address; captures: boolean } {
  const captures = kind.captures && runtime.memory.provider === 'CUDA';
  try {
    return { session: openSession(runtime, model, { ...kind, captures }), captures };
  } catch (error) {
    if (!captures || !/graph/i.test((error as Error).message)) throw error;
    const session = openSession(runtime, model, { ...kind, captures: false });
    runtime.notCaptured(error as Error);
    return { session, captures: false };
  }
}
