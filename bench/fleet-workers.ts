/** Workers of the simulated fleet: speech-dpo's own loop, with a bench that sleeps as long as a real item takes. */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../lib/farm/bench.js';
import { resultToText } from '../lib/farm/item.js';
import { connectQueue } from '../lib/farm/queue.js';
import { work } from '../lib/farm/work.js';
import type { ScoredCompletion } from '../lib/experiment/scored-completion.js';
import { FLEET_TRAITS, secondsOf, type FleetArguments } from './fleet-items.js';

const { url, first, workers, meanSeconds } = JSON.parse(process.argv[2]) as FleetArguments;
const stop = new AbortController();
setMaxListeners(0, stop.signal);
process.on('SIGTERM', () => stop.abort());
process.on('disconnect', () => process.exit());

/** Ten samples of 150 codes with the figures of a mos run with guards. */
const answer = resultToText(
  Array.from({ length: 10 }, (_, sample): ScoredCompletion => {
    const digest = createHash('sha512').update(`${sample}`).digest();
    const share = (i: number) => digest[i] / 255 + digest[i + 1] / 65_025;
    return {
      codes: Array.from({ length: 150 }, (_unused, i) => digest[i % digest.length]),
      finished: true,
      reward: 1 + 4 * share(0),
      rank: 1 + 4 * share(0),
      details: {},
      figures: {
        ...{ dnsmos: 1 + 4 * share(1), fidelity: share(2), duration: share(3), level: share(4) },
        ...{ pitch: share(5), silence: share(6), clipping: share(7) },
      },
    };
  }),
);

const bench: Bench = {
  device: 'a simulated device',
  traits: FLEET_TRAITS,
  open: async () => undefined,
  async do(id) {
    const seconds = secondsOf(id, meanSeconds);
    await sleep(1000 * seconds);
    return { result: answer, seconds };
  },
  close: async () => undefined,
};

await Promise.all(
  Array.from({ length: workers }, async (_, i) => {
    // Each has connections of its own, as on a machine of its own.
    const connection = await connectQueue(url);
    await work(connection, { name: `simulated-${first + i}`, benches: [bench], signal: stop.signal });
    await connection.close();
  }),
);
process.exit();
