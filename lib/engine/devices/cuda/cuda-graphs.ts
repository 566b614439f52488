/**
 * CUDA graphs of a session (ONNX Runtime's enable_cuda_graph): the launches of a run are captured once and then replayed with a single
 * launch. A graph knows the addresses that it was captured with, so that each set of addresses and shapes has a graph of its own, named by
 * the run option gpu_graph_id; runs that are not captured say -1.
 *
 * ONNX Runtime's rules, from its sources: the first run with a new id runs three times (twice so that all memory is there, once to capture)
 * and then replays; a session's graphs belong to the thread that captured them.
 */
import { placeText } from './binding.js';
import type { Address } from '../ort/native.js';
import type { Runtime } from './runtime.js';
import type { Placed } from './values.js';

/** Sets of addresses of one session that are captured; a caller that has more has new addresses every time. */
const MOST_GRAPHS = 32;
const NOT_CAPTURED = '-1';

export class CudaGraphs {
  readonly #options = new Map<string, Address>();
  #isStopped = false;

  constructor(readonly runtime: Runtime) {}

  /**
   * Run options for a run that reads and writes these places, which must not overlap.
   *
   * @param hasMore outputs that are not on the device: such a run cannot be captured
   */
  optionsFor(places: readonly (readonly [string, Placed])[], hasMore: boolean): Address {
    if (this.#isStopped) return this.notCaptured();
    const signature = places.map(([, tensor]) => placeText(tensor)).join(' ');
    const known = hasMore ? undefined : this.#options.get(signature);
    if (known !== undefined) return known;
    if (!hasMore && this.#options.size < MOST_GRAPHS)
      return this.#named(signature, String(this.#options.size + 1));
    return this.notCaptured();
  }

  /** Run options for a run launch by launch. */
  notCaptured(): Address {
    return this.#options.get(NOT_CAPTURED) ?? this.#named(NOT_CAPTURED, NOT_CAPTURED);
  }

  /** Captures and replays nothing from now on. */
  stop(): void {
    this.#isStopped = true;
  }

  #named(key: string, id: string): Address {
    const { api } = this.runtime;
    const options = api.get('CreateRunOptions');
    api.call('AddRunConfigEntry', options, 'gpu_graph_id', id);
    this.#options.set(key, options);
    return options;
  }

  release(): void {
    for (const options of this.#options.values()) this.runtime.api.release('ReleaseRunOptions', options);
    this.#options.clear();
  }
}
