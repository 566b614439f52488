/** A process of the simulated fleet's workers: speech-dpo's own loop, with an executor that sleeps as long as a real one computes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Executor } from '../lib/farm/executor.js';
import { parseItem } from '../lib/farm/item.js';
import { connectQueue } from '../lib/farm/queue.js';
import { work } from '../lib/farm/work.js';
import { fleetTraits, recordedResult, secondsOf, type FleetArguments } from './fleet-items.js';

const { address, first, workers, meanSeconds } = JSON.parse(process.argv[2]) as FleetArguments;
process.on('disconnect', () => process.exit());

const executor: Executor = {
  device: 'no device: it sleeps',
  traits: await fleetTraits(),
  open: async () => undefined,
  async do(_, data) {
    const seconds = secondsOf(parseItem(data).position, meanSeconds);
    await sleep(1000 * seconds);
    return { result: recordedResult, seconds };
  },
  close: async () => undefined,
};

await Promise.all(
  Array.from({ length: workers }, async (_, i) => {
    // Each has connections of its own, as on a machine of its own.
    const connection = await connectQueue(address);
    const { signal } = new AbortController();
    await work(connection, { name: `simulated-${first + i}`, executors: [executor], signal });
  }),
);
