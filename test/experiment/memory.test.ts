/** Memory over many iterations; MEMORY_ITERATIONS=200 npx vitest run test/experiment/memory.test.ts makes it a long run. */
import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { iterate } from '../../lib/experiment/iterate.js';
import { recordRun } from '../../lib/experiment/record.js';
import { createTinyRun } from './tiny-run.js';

const ITERATIONS = Number(process.env.MEMORY_ITERATIONS ?? 12);
/** Caches and the heap have their size by then. */
const SETTLED = ITERATIONS < 40 ? Math.floor(ITERATIONS / 2) : 20;
const HOUR_MS = 3_600_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function measure() {
  collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  // Linux only; elsewhere the count is 0 throughout.
  const openFiles = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
  return { heapUsed, rss, openFiles };
}

it(
  `is the same after ${ITERATIONS} iterations as after ${SETTLED}, within 5 %`,
  async () => {
    const run = await createTinyRun({
      iterations: ITERATIONS,
      keepCheckpoints: 'last',
      audioPrompts: 0,
      learningRate: 1e-6,
    });
    const measured: ReturnType<typeof measure>[] = [];
    for await (const event of recordRun(iterate(run), run)) {
      if (event.type === 'saved') measured.push(measure());
    }
    const [settled, last] = [measured[SETTLED - 1], measured[ITERATIONS - 1]];
    console.log(`after ${SETTLED} and ${ITERATIONS} iterations: ${JSON.stringify([settled, last])}`);
    expect(last.heapUsed / settled.heapUsed).toBeLessThan(1.05);
    expect(last.rss / settled.rss).toBeLessThan(1.05);
    expect(last.openFiles).toBeLessThanOrEqual(settled.openFiles + 1);
    await rm(join(run.directories.modelDirectory, '..', '..'), { recursive: true });
  },
  HOUR_MS,
);
