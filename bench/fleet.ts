/**
 * `npm run bench -- --fleet`: a fleet of workers that sleep as long as real items take, on a real Redis, with real items and results, and
 * speech-dpo's own dispatcher and worker loop. Tells how much of the ideal throughput is reached, and what the trainer's process takes.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { loadPrompts } from '../lib/data/prompts.js';
import { openDispatcher } from '../lib/farm/dispatch.js';
import { describeFolder } from '../lib/farm/files/manifest.js';
import { cutRequest, hashOf } from '../lib/farm/item.js';
import { announce, listPresent } from '../lib/farm/presence.js';
import { connectQueue } from '../lib/farm/queue.js';
import type { Offer } from '../lib/farm/terms.js';
import { findPackageRoot } from '../lib/package-root.js';
import { loadPolicy } from '../lib/policy/policy.js';
import { FLEET_TRAITS, secondsOf, type FleetArguments } from './fleet-items.js';

const { values } = parseArgs({
  options: {
    fleet: { type: 'boolean' },
    workers: { type: 'string', default: '200' },
    items: { type: 'string', default: '20000' },
    /** Of an item: ten samples of a mos run with guards, on two cores. */
    seconds: { type: 'string', default: '2.5' },
  },
});
const MOST_IN_A_PROCESS = 50;
const SAMPLES = 10;

const workerCounts = values.workers.split(',').map(Number);
const meanSeconds = Number(values.seconds);
for (const [i, workers] of workerCounts.entries()) {
  const counts = values.items.split(',').map(Number);
  await measure(workers, counts[Math.min(i, counts.length - 1)]);
}

async function measure(workers: number, count: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'speech-dpo-fleet-'));
  const port = await freePort();
  const redis = spawn('redis-server', ['--port', `${port}`, '--dir', folder, '--save', ''], {
    stdio: 'ignore',
  });
  redis.on('error', () => {
    console.error(
      'error: a fleet needs a Redis server, and redis-server is not installed: apt-get install redis-server',
    );
    process.exit(2);
  });
  const children: ChildProcess[] = [];
  try {
    const url = `redis://127.0.0.1:${port}`;
    await sleep(500);
    const connection = await connectQueue(url);
    const client = new Redis(url);
    const run = hashOf([workers, count]);
    const items = await makeItems(count);
    const ideal = items.reduce((sum, { id }) => sum + secondsOf(id, meanSeconds), 0) / workers;
    for (let first = 0; first < workers; first += MOST_IN_A_PROCESS) {
      const part: FleetArguments = {
        url,
        first,
        workers: Math.min(MOST_IN_A_PROCESS, workers - first),
        meanSeconds,
      };
      children.push(
        fork(fileURLToPath(new URL('./fleet-workers.js', import.meta.url)), [JSON.stringify(part)]),
      );
    }
    const { versions, computes } = FLEET_TRAITS;
    const terms: Offer['terms'] = {
      versions,
      computes,
      scorers: {},
      work: {
        kind: 'samples',
        rules: { temperature: 1, topK: 0, topP: 1, maxNewTokens: 180 },
        speech: null,
        reward: { name: 'mos', rewardModel: 'nisqa' },
        guards: [],
        transcriber: null,
      },
    };
    const record = { kind: 'run', id: run, title: 'a simulated run', terms: { terms, files: null } } as const;
    const announcement = await announce(connection, 'runs', run, record);
    const isAttached = async () =>
      (await listPresent(connection, 'workers')).filter((each) => each.run === run).length === workers;
    while (!(await isAttached())) await sleep(500);
    const dispatcher = await openDispatcher(connection, { id: run });

    const startCpu = process.cpuUsage();
    const startMs = performance.now();
    let peakBytes = 0;
    let resultBytes = 0;
    let shownMs = 0;
    for await (const event of dispatcher.gather(items)) {
      if (event.type === 'result') resultBytes += event.result.length;
      else if (performance.now() - shownMs > 10_000) {
        shownMs = performance.now();
        peakBytes = Math.max(peakBytes, await usedMemory(client));
        const { done, total, running } = event.status;
        if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${total} items, ${running} running `);
      }
    }
    const seconds = (performance.now() - startMs) / 1000;
    const { user, system } = process.cpuUsage(startCpu);
    const share = (part: number) => `${(100 * part).toFixed(1)} %`;
    console.log(
      [
        `${workers} workers, ${count} items of ${meanSeconds} s: ${seconds.toFixed(1)} s, ideal ${ideal.toFixed(1)} s`,
        `${share(ideal / seconds)} of the ideal throughput`,
        `trainer ${share((user + system) / 1e6 / seconds)} of a core`,
        `item ${Math.round(JSON.stringify(items[0].data).length / 100) / 10} kB, result ${(resultBytes / count / 1000).toFixed(1)} kB`,
        `Redis ${Math.round(peakBytes / 1e6)} MB`,
      ].join('; '),
    );
    await announcement.leave();
    await dispatcher.close(true);
    await connection.close();
    client.disconnect();
  } finally {
    for (const child of children) child.kill('SIGKILL');
    redis.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Items of the embedded model's prompts, each as often as it takes. */
async function makeItems(count: number) {
  const model = join(findPackageRoot(), 'models', 'default');
  const { tokenizer } = await loadPolicy(join(model, 'policy'));
  const { train } = await loadPrompts(join(model, 'prompts.json'), tokenizer);
  const policy = await describeFolder(join(model, 'policy'));
  const prompts = Array.from({ length: count }, (_, index) => ({
    index,
    item: train[index % train.length],
    ids: [],
  }));
  const request = {
    iteration: 0,
    stage: 'sample',
    split: 'train',
    samplesPerPrompt: SAMPLES,
    seed: 1,
    guards: 'all',
    prompts,
  } as const;
  return cutRequest(request, policy, 'simulated');
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info())?.[1] ?? 0);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
