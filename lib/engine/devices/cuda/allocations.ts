/** Allocations on the device by the number that names them outside of the worker thread (`DeviceTensor.handle`). */
import type { DeviceTensor } from '../../device.js';
import { elementCount } from '../../graph.js';
import type { Memory } from './memory.js';
import type { Address } from '../ort/native.js';
import type { Placed } from './values.js';

/** Of a float32 or an int32. */
const BYTES = 4;

interface Block {
  address: Address;
  byteLength: number;
}

/** Of all memory: what freed blocks may take that are kept for the next allocation of their size. */
const KEPT_SHARE = 1 / 8;

export class Allocations {
  readonly #held = new Map<number, Block>();
  /** Freed blocks. Who allocates the same again, as each batch that is sampled does, finds its CUDA graphs at the same addresses. */
  #kept: Block[] = [];
  readonly #mostKept: number;
  #nextHandle = 1;

  constructor(readonly memory: Memory) {
    this.#mostKept = memory.room().total * KEPT_SHARE;
  }

  /** Bytes that an allocation could take. */
  get free(): number {
    return this.memory.room().free + this.#keptBytes;
  }

  get #keptBytes(): number {
    return this.#kept.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Zeroed. */
  allocate(byteLength: number): number {
    const block = this.#take(byteLength);
    this.memory.clear(block.address, byteLength);
    this.#held.set(this.#nextHandle, block);
    return this.#nextHandle++;
  }

  #take(byteLength: number): Block {
    const index = this.#kept.findIndex((block) => block.byteLength === byteLength);
    if (index >= 0) return this.#kept.splice(index, 1)[0];
    if (byteLength > this.memory.room().free) this.dropKept();
    return { address: this.memory.allocate(byteLength), byteLength };
  }

  release(handle: number): void {
    const block = this.#held.get(handle);
    if (!block) return;
    this.#held.delete(handle);
    this.#kept.push(block);
    while (this.#keptBytes > this.#mostKept) this.memory.free(this.#kept.shift()!.address);
  }

  /** Gives back what nobody uses. */
  dropKept(): void {
    for (const { address } of this.#kept) this.memory.free(address);
    this.#kept = [];
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

  releaseAll(): void {
    for (const handle of [...this.#held.keys()]) this.release(handle);
    this.dropKept();
  }
}
