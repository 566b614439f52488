/** Allocations on the device by the number that names them outside of the worker thread (`DeviceTensor.handle`). */
import type { DeviceTensor } from '../../device.js';
import { elementCount } from '../../graph.js';
import type { Memory } from './memory.js';
import type { Address } from './native.js';
import type { Placed } from './values.js';

/** Of a float32 or an int32. */
const BYTES = 4;

export class Allocations {
  readonly #held = new Map<number, { address: Address; byteLength: number }>();
  #nextHandle = 1;

  constructor(readonly memory: Memory) {}

  /** Zeroed. */
  allocate(byteLength: number): number {
    const address = this.memory.allocate(byteLength);
    this.memory.clear(address, byteLength);
    this.#held.set(this.#nextHandle, { address, byteLength });
    return this.#nextHandle++;
  }

  free(handle: number): void {
    const held = this.#held.get(handle);
    if (!held) return;
    this.#held.delete(handle);
    this.memory.free(held.address);
  }

  addressOf(handle: number): Address {
    return this.#get(handle).address;
  }

  /** Where a tensor lies. @throws RangeError when it reaches beyond its allocation */
  place({ handle, start, shape, dtype }: DeviceTensor): Placed {
    const { address, byteLength } = this.#get(handle);
    if ((start + elementCount(shape)) * BYTES > byteLength)
      throw new RangeError(`[${shape.join(', ')}] from element ${start} is out of bounds of its allocation`);
    return { address: address + BigInt(start * BYTES), shape, dtype };
  }

  #get(handle: number) {
    const held = this.#held.get(handle);
    if (!held) throw new TypeError(`the device has no allocation ${handle}: it was released, or never made`);
    return held;
  }

  release(): void {
    for (const handle of [...this.#held.keys()]) this.free(handle);
  }
}
