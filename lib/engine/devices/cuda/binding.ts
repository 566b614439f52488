/** A session with the places of its inputs and outputs (ONNX Runtime's IoBinding), which stay bound from run to run. */
import { readNames, releaseNames } from '../ort/names.js';
import { addressesAt, result, type Address } from '../ort/native.js';
import type { Runtime } from './runtime.js';
import { copyOfValue } from '../ort/values.js';
import { valueOf, type Placed } from './values.js';

export class Binding {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly #binding: Address;
  /** What each name is bound to, as text: a name is bound anew only where that differs. */
  readonly #bound = new Map<string, string>();

  constructor(
    readonly runtime: Runtime,
    readonly session: Address,
  ) {
    const { api, allocator } = runtime;
    const { inputs, outputs } = readNames(api, allocator, session);
    [this.inputs, this.outputs] = [inputs.texts, outputs.texts];
    releaseNames(api, allocator, inputs, outputs);
    this.#binding = api.get('CreateIoBinding', session);
  }

  /** Binds an input or an output to a tensor of ours. */
  bind(kind: 'BindInput' | 'BindOutput', name: string, tensor: Placed): void {
    const place = placeText(tensor);
    if (this.#bound.get(name) === place) return;
    const { api } = this.runtime;
    const value = valueOf(this.runtime, tensor);
    try {
      // The binding keeps a reference of its own.
      api.call(kind, this.#binding, name, value);
    } finally {
      api.release('ReleaseValue', value);
    }
    this.#bound.set(name, place);
  }

  /**
   * Lets ONNX Runtime allocate an output in the process's memory, of whatever shape it comes to have. To be called before every run, since
   * the next one would write into what this one has allocated.
   */
  bindToHost(name: string): void {
    this.runtime.api.call('BindOutputToDevice', this.#binding, name, this.runtime.host);
    this.#bound.set(name, 'host');
  }

  run(options: Address | null): void {
    this.runtime.api.call('RunWithBinding', this.session, options, this.#binding);
  }

  /** Copies of outputs that ONNX Runtime allocated, by name. */
  readHost(names: ReadonlySet<string>): Record<string, ReturnType<typeof copyOfValue>> {
    const { api, allocator } = this.runtime;
    const [values, count] = [result(), result()];
    api.call('GetBoundOutputValues', this.#binding, allocator, values, count);
    const all = addressesAt(values[0], Number(count[0]));
    try {
      const order = this.#boundOutputs();
      return Object.fromEntries(
        order.flatMap((name, index) => (names.has(name) ? [[name, copyOfValue(api, all[index])]] : [])),
      );
    } finally {
      for (const value of all) api.release('ReleaseValue', value);
      api.call('AllocatorFree', allocator, values[0]);
    }
  }

  /** Names of outputs in the order in which they were first bound, which is ONNX Runtime's. */
  #boundOutputs(): string[] {
    const outputs = new Set(this.outputs);
    return [...this.#bound.keys()].filter((name) => outputs.has(name));
  }

  release(): void {
    this.runtime.api.release('ReleaseIoBinding', this.#binding);
    this.runtime.api.release('ReleaseSession', this.session);
  }
}

/** A tensor's place as text. */
export const placeText = ({ address, shape, dtype }: Placed): string =>
  `${address}:${dtype}[${shape.join()}]`;
