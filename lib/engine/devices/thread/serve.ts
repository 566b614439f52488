/** The worker thread's side of a device: answers calls in the order in which they come, and runs generators beside the device. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import type { DeviceStream, DeviceThread } from '../../device.js';
import { reportError } from '../../errors.js';
import { ownMemory } from './owned.js';
import type { Answers, Callable, Reply, Request } from './protocol.js';

/**
 * Answers the main thread from now on.
 *
 * @param answers what the main thread may call, by name
 * @param thread for generators
 * @param end frees what outlives the thread, before it ends
 */
export function serve<Calls extends Callable<Calls>>(
  answers: Answers<Calls>,
  thread: DeviceThread,
  end: () => unknown = () => undefined,
): void {
  /** Streams that somebody reads. */
  const streams = new Set<number>();

  async function stream(id: number, module: string, args: unknown): Promise<void> {
    streams.add(id);
    try {
      const program = (await import(module)) as { stream: DeviceStream };
      for await (const event of program.stream(thread, args as never)) {
        if (!streams.has(id)) return;
        send({ id, event });
        // In which it is heard that nobody reads on, where the device's calls do not wait.
        await nextTurn();
      }
    } finally {
      streams.delete(id);
    }
  }

  const answer = ({ id, method, args }: Request): unknown => {
    if (method === 'stream') return stream(id, args[0] as string, args[1]);
    if (method === 'endStream') return void streams.delete(args[0] as number);
    return (answers[method as keyof Calls] as (...args: unknown[]) => unknown)(...args);
  };

  parentPort!.on('message', async (request: Request) => {
    const { id, method } = request;
    if (method === 'end') {
      // Here, between two calls into native code.
      await end();
      process.exit();
    }
    try {
      send({ id, result: await answer(request) });
    } catch (error) {
      send({ id, error: reportError(error) });
    }
  });
}

/** Tells the main thread a sentence for `Device.takeNotices`. */
export function sendNotice(notice: string): void {
  send({ notice });
}

/** What lies in resident memory, or in a part of some other buffer, is copied and moves. */
function send(reply: Reply): void {
  const { owned, moved } = ownMemory(reply);
  parentPort!.postMessage(owned, moved);
}
