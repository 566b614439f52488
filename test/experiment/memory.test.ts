/**
 * Memory over many iterations of a run in which partner and codec speak: a small model with the embedded codec.
 * MEMORY_ITERATIONS=200 npx vitest run test/experiment/memory.test.ts makes it a long run.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import type { Request } from '../../lib/engine/devices/thread/protocol.js';
import { runExperiment } from '../../lib/jobs/experiment.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { rewardOf } from '../../lib/reward/reward.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

const ITERATIONS = Number(process.env.MEMORY_ITERATIONS ?? 12);
/** Caches and the heap have their size by then. */
const SETTLED = ITERATIONS < 40 ? Math.floor(ITERATIONS / 2) : 20;
const HOUR_MS = 3_600_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Sessions and memories that the engine's workers were asked to make, and not yet to release. */
let held = 0;
const COUNTED: Partial<Record<Request['method'], number>> = {
  ...{ createSession: 1, createMemory: 1 },
  ...{ releaseSession: -1, releaseMemory: -1 },
};
const { postMessage } = Worker.prototype;
// Not a spy of vitest's, which keeps whatever it is called with.
Worker.prototype.postMessage = function (this: Worker, request: Request, moved) {
  held += COUNTED[request.method] ?? 0;
  postMessage.call(this, request, moved);
};

function measure() {
  collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  // Linux only; elsewhere the count is 0 throughout.
  const openFiles = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
  return { heapUsed, rss, openFiles, held };
}

let heard = 0;
/** Listens to every sample: the largest of them. */
const peak = rewardOf('peak', 'peak', async (sample) => {
  const { samples } = await sample.audio();
  heard += 1;
  return samples.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
});

it(
  `is the same after ${ITERATIONS} iterations as after ${SETTLED}, within 5 %`,
  async () => {
    const model = temporaryFolder();
    await writeTinyModel(model);
    // One pass is as good as sixty here.
    const codec = join(model, 'codec', 'config.json');
    const config = JSON.parse(readFileSync(codec, 'utf8')) as object;
    writeFileSync(codec, JSON.stringify({ ...config, griffin_lim_iterations: 1 }));
    const parameters = parseParameters({
      ...{ model, iterations: ITERATIONS, keepCheckpoints: 'last', audioPrompts: 1, learningRate: 1e-6 },
      ...{ trainPrompts: 2, testPrompts: 2, sampleSize: 4, numEval: 3, maxNewTokens: 15 },
      ...{ epochs: 1, batchSize: 2 },
    });
    const measured: ReturnType<typeof measure>[] = [];
    const events = runExperiment(parameters, { root: temporaryFolder(), reward: peak });
    for await (const event of events) if (event.type === 'saved') measured.push(measure());
    // Eight samples and twelve of evaluations in each iteration.
    expect(heard).toBeGreaterThan(10 * ITERATIONS);
    const [settled, last] = [measured[SETTLED - 1], measured[ITERATIONS - 1]];
    console.log(`after ${SETTLED} and ${ITERATIONS} iterations: ${JSON.stringify([settled, last])}`);
    expect(last.heapUsed / settled.heapUsed).toBeLessThan(1.05);
    expect(last.rss / settled.rss).toBeLessThan(1.05);
    // A batch may yet have a shape that none had before; what is left behind in each iteration is more.
    expect(last.held).toBeLessThanOrEqual(settled.held + 2);
    expect(last.openFiles).toBeLessThanOrEqual(settled.openFiles + 1);
  },
  HOUR_MS,
);
