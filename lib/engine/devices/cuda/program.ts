/** A program on the device: a session, room for what crosses to and from it, and CUDA graphs of its launches. */
import type { Feed, HostArray } from '../../device.js';
import { Binding } from './binding.js';
import { elementCount, type Value } from '../../graph.js';
import { CudaGraphs } from './cuda-graphs.js';
import type { Allocations } from './allocations.js';
import type { Address } from './native.js';
import { openSession, type Runtime, type SessionKind } from './runtime.js';
import { arrayFor, bytesOf, type HostValues, type Placed } from './values.js';

/** What a program is, beside its bytes. */
export interface ProgramKind extends SessionKind {
  /** Shapes of the outputs; null where only a run decides them. */
  outputs: readonly Value[] | null;
}

/** Memory of the device that a program keeps for an input or an output of its own. */
interface Buffer {
  address: Address;
  byteLength: number;
}

export class Program {
  readonly #binding: Binding;
  readonly #graphs: CudaGraphs | undefined;
  readonly #buffers = new Map<string, Buffer>();

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
    const inputs = this.#binding.inputs.map((name) => [name, this.#fed(name, feeds[name])] as const);
    for (const name of Object.keys(feeds))
      if (!this.#binding.inputs.includes(name)) throw new TypeError(`the program has no input "${name}"`);
    for (const [name, tensor] of inputs) this.#binding.bind('BindInput', name, tensor);
    const outputs = this.#binding.outputs.map((name) => [name, into[name] ?? this.#output(name)] as const);
    for (const [name, tensor] of outputs) {
      if (tensor) this.#binding.bind('BindOutput', name, tensor);
      else this.#binding.bindToHost(name);
    }
    // A CUDA graph runs on a stream of its own: what was written and launched before has to be there.
    memory.synchronize();
    this.#binding.run(this.#graphs?.optionsFor(inputs, outputs) ?? null);
    return this.#results(outputs.filter(([name]) => !(name in into)));
  }

  #fed(name: string, feed: Feed | undefined): Placed {
    if (!feed) throw new TypeError(`input "${name}" is missing`);
    if (!('data' in feed)) return this.allocations.place(feed);
    const { data, shape } = feed;
    const address = this.#buffer(name, data.byteLength);
    if (data.length !== elementCount(shape))
      throw new TypeError(`input "${name}" has ${data.length} values for shape [${shape.join(', ')}]`);
    this.runtime.memory.write(address, data);
    return { address, shape, dtype: data instanceof Float32Array ? 'float32' : 'int32' };
  }

  /** Room for an output; undefined where only the run decides its shape. */
  #output(name: string): Placed | undefined {
    const value = this.kind.outputs?.find((output) => output.name === name);
    return value && { ...value, address: this.#buffer(name, bytesOf(value)) };
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

  #results(outputs: readonly (readonly [string, Placed | undefined])[]): Record<string, HostArray> {
    const allocated = new Set(outputs.filter(([, tensor]) => !tensor).map(([name]) => name));
    const results: Record<string, HostValues> = allocated.size > 0 ? this.#binding.readHost(allocated) : {};
    for (const [name, tensor] of outputs) {
      if (!tensor) continue;
      const values = arrayFor(tensor);
      this.runtime.memory.read(tensor.address, values);
      results[name] = values;
    }
    return results as Record<string, HostArray>;
  }

  release(): void {
    this.#binding.release();
    this.#graphs?.release();
    for (const { address } of this.#buffers.values()) this.runtime.memory.free(address);
    this.#buffers.clear();
  }
}

/** ONNX Runtime refuses to capture what it does not run on the GPU to the last node: such a program runs launch by launch. */
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
    return { session: openSession(runtime, model, { ...kind, captures: false }), captures: false };
  }
}
