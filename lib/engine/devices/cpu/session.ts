/**
 * A program on the CPU, by ONNX Runtime's C API. onnxruntime-node's own `run` copies each output that it is given a place for into a new array,
 * which in a training are all gradients, and waits for a turn of the event loop.
 */
import type { HostArray } from '../../device.js';
import { DTYPES, type DType } from '../../graph.js';
import { openArena, SHARES_ARENA } from '../ort/arena.js';
import { findOrtLibrary } from '../ort/library.js';
import { readNames, releaseNames, type Names } from '../ort/names.js';
import type { Address } from '../ort/native.js';
import {
  ALL_OPTIMIZATIONS,
  DEFAULT_MEMORY,
  DEVICE_ALLOCATOR,
  ERRORS_ONLY,
  openOrtApi,
  type OrtApi,
} from '../ort/ort-api.js';
import { SWITCHED_OFF } from '../ort/switched-off.js';
import { copyOfValue } from '../ort/values.js';
import type { LentConstant, SessionSettings } from './calls.js';

const NONE = 0n;
/** More than any tensor has. */
const MOST_AXES = 16;

const CONFIG = {
  // Threads that wait for the next operator spin; between two runs they would take the cores from whatever else computes.
  'session.force_spinning_stop': '1',
  ...SWITCHED_OFF,
};

/** Of a session that has constants once. */
const UNPACKED = { 'session.disable_prepacking': '1' };

/** Where a tensor's values are: in an array of ordinary memory or of a part of WebAssembly's, or at an address. */
export interface Located {
  readonly place: HostArray | Address;
  readonly byteLength: number;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** ONNX Runtime, with what every session needs of it. */
interface Runtime {
  api: OrtApi;
  /** The process's memory. */
  host: Address;
  /** Frees what ONNX Runtime has allocated for us. */
  allocator: Address;
}

let opened: Runtime | undefined;

function openRuntime(): Runtime {
  const api = openOrtApi(findOrtLibrary());
  return {
    api,
    host: api.get('CreateMemoryInfo', 'Cpu', DEVICE_ALLOCATOR, 0, DEFAULT_MEMORY),
    allocator: api.get('GetAllocatorWithDefaultOptions'),
  };
}

/** Those that share the arena, and what closes it after the last of them. */
const sharing = new Set<Session>();
let closeArena: (() => void) | undefined;

function joinArena(api: OrtApi, session: Session): void {
  if (sharing.size === 0) closeArena = openArena(api, 'CPU');
  sharing.add(session);
}

function leaveArena(session: Session): void {
  if (sharing.delete(session) && sharing.size === 0) closeArena!();
}

export class Session {
  readonly #runtime = (opened ??= openRuntime());
  readonly #session: Address;
  readonly #inputs: Names;
  readonly #outputs: Names;
  /** Over memory that is lent. */
  readonly #constants: Address[] = [];
  /** Where ONNX Runtime reads a shape. */
  readonly #sizes = new BigInt64Array(MOST_AXES);

  /**
   * @param lent constants that the model leaves out; what is not packed is read there in every run
   * @throws Error with ONNX Runtime's sentence when it does not take the model
   */
  constructor(
    model: Uint8Array,
    lent: readonly LentConstant[],
    { threads, sharesArena, packs }: SessionSettings,
  ) {
    const { api } = this.#runtime;
    const options = api.get('CreateSessionOptions');
    try {
      if (sharesArena) joinArena(api, this);
      api.call('SetSessionLogSeverityLevel', options, ERRORS_ONLY);
      api.call('SetSessionGraphOptimizationLevel', options, ALL_OPTIMIZATIONS);
      api.call('SetIntraOpNumThreads', options, threads);
      // Both would keep the memory of a session's largest run, twice, until it is released: gigabytes a shape at BART-base size.
      // Without them runs are as fast.
      api.call('DisableCpuMemArena', options);
      api.call('DisableMemPattern', options);
      const config = { ...CONFIG, ...(sharesArena && SHARES_ARENA), ...(!packs && UNPACKED) };
      for (const [key, value] of Object.entries(config))
        api.call('AddSessionConfigEntry', options, key, value);
      this.#takeConstants(options, lent);
      this.#session = api.get('CreateSessionFromArray', api.env, model, model.byteLength, options);
    } catch (error) {
      this.#giveBack();
      throw error;
    } finally {
      api.release('ReleaseSessionOptions', options);
    }
    const { inputs, outputs } = readNames(api, this.#runtime.allocator, this.#session);
    [this.#inputs, this.#outputs] = [inputs, outputs];
  }

  /** Runs the program; outputs that have a place are written there, the others come back. */
  run(
    feeds: Readonly<Record<string, Located>>,
    places: Readonly<Record<string, Located>>,
  ): Record<string, HostArray> {
    const { api } = this.#runtime;
    const { texts, addresses } = this.#outputs;
    const inputs = new BigUint64Array(this.#inputs.texts.length);
    const outputs = new BigUint64Array(texts.length);
    try {
      this.#inputs.texts.forEach((name, index) => {
        if (!(name in feeds)) throw new TypeError(`input "${name}" is missing`);
        inputs[index] = this.#valueOf(feeds[name]);
      });
      texts.forEach((name, index) => {
        if (name in places) outputs[index] = this.#valueOf(places[name]);
      });
      const given = [this.#inputs.addresses, inputs, inputs.length] as const;
      // Where an output has no place, ONNX Runtime allocates it.
      api.call('Run', this.#session, null, ...given, addresses, outputs.length, outputs);
      const results: Record<string, HostArray> = {};
      texts.forEach((name, index) => {
        if (!(name in places)) results[name] = copyOfValue(api, outputs[index]).values as HostArray;
      });
      return results;
    } finally {
      for (const values of [inputs, outputs])
        for (const value of values) if (value !== NONE) api.release('ReleaseValue', value);
    }
  }

  /** Over memory that stays ours; whoever asks for it releases it. */
  #valueOf({ place, byteLength, shape, dtype }: Located): Address {
    const { api, host } = this.#runtime;
    shape.forEach((size, axis) => (this.#sizes[axis] = BigInt(size)));
    const where = [place, byteLength, this.#sizes, shape.length] as const;
    return api.get('CreateTensorWithDataAsOrtValue', host, ...where, DTYPES[dtype].onnx);
  }

  #takeConstants(options: Address, lent: readonly LentConstant[]): void {
    const { api } = this.#runtime;
    for (const constant of lent) this.#constants.push(this.#valueOf(constant));
    const names = lent.map(({ name }) => name);
    // The first alone asks for the file that the model would have the values from; the second alone copies what is not packed.
    names.forEach((name, index) => api.call('AddInitializer', options, name, this.#constants[index]));
    const given = [names, BigUint64Array.from(this.#constants), names.length] as const;
    if (names.length > 0) api.call('AddExternalInitializers', options, ...given);
  }

  release(): void {
    const { api, allocator } = this.#runtime;
    api.release('ReleaseSession', this.#session);
    releaseNames(api, allocator, this.#inputs, this.#outputs);
    this.#giveBack();
  }

  #giveBack(): void {
    for (const value of this.#constants) this.#runtime.api.release('ReleaseValue', value);
    leaveArena(this);
  }
}
