import { once } from 'node:events';
import { wholeBuffer } from './devices/thread/owned.js';

/**
 * Frees the memory of arrays; whoever holds them sees empty ones at once. Left to the garbage collection it would stay for as long as
 * nothing much is allocated: large arrays alone do not make it come.
 *
 * @param arrays those that share their memory with others are left as they are
 * @returns when it is free
 */
export async function freeArrays(arrays: Iterable<ArrayBufferView>): Promise<void> {
  const buffers = new Set([...arrays].flatMap(wholeBuffer));
  // Buffers go with the message that they are moved into, which ends with its channel.
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(undefined, [...buffers]);
  port1.close();
  port2.close();
  await once(port2, 'close');
}
