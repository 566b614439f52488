import { once } from 'node:events';
import { wholeBuffer } from './devices/thread/owned.js';

/** Memory that native code reads, and by how many it is lent. */
const lent = new Map<ArrayBufferLike, number>();

/**
 * Keeps arrays where they are, for native code that reads them: neither the garbage collector nor `freeArrays` frees them.
 *
 * @returns gives them back
 */
export function lendArrays(arrays: readonly ArrayBufferView[]): () => void {
  const buffers = arrays.map(({ buffer }) => buffer);
  for (const buffer of buffers) lent.set(buffer, (lent.get(buffer) ?? 0) + 1);
  return () => {
    for (const buffer of buffers) {
      const others = lent.get(buffer)! - 1;
      if (others > 0) lent.set(buffer, others);
      else lent.delete(buffer);
    }
  };
}

/**
 * Frees the memory of arrays; whoever holds them sees empty ones at once. Left to the garbage collection it would stay for as long as
 * nothing much is allocated: large arrays alone do not make it come.
 *
 * @param arrays those that share their memory with others, or that are lent, are left as they are
 * @returns when it is free
 */
export async function freeArrays(arrays: Iterable<ArrayBufferView>): Promise<void> {
  const buffers = new Set([...arrays].flatMap(wholeBuffer).filter((buffer) => !lent.has(buffer)));
  if (buffers.size === 0) return;
  // Buffers go with the message that they are moved into, which ends with its channel.
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(undefined, [...buffers]);
  port1.close();
  port2.close();
  await once(port2, 'close');
}
