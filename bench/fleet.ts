/**
 * `npm run bench -- --fleet`: a run's trainer and its workers on a real Redis, with real items and results, where each worker sleeps as long
 * as a real one computes. Prints a Markdown table: how much of the ideal throughput is reached, and what the trainer's process takes.
 *
 *     npm run bench -- --fleet --workers 1,5,20,50,100,200 --items 60
 */
import { fork, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Option } from 'commander';
import { Redis } from 'ioredis';
import { parseNumber } from '../lib/cli/parameter-options.js';
import { loadPrompts } from '../lib/data/prompts.js';
import type { SampleRequest } from '../lib/experiment/farm.js';
import { describeFolder } from '../lib/farm/files/manifest.js';
import { cutRequest } from '../lib/farm/item.js';
import { listPresent } from '../lib/farm/presence.js';
import { connectQueue } from '../lib/farm/queue.js';
import type { SamplesTerms } from '../lib/farm/terms.js';
import { openFarm, type OpenQueue } from '../lib/jobs/open-farm.js';
import { meanOf } from '../lib/mean.js';
import { findPackageRoot } from '../lib/package-root.js';
import { loadPolicy } from '../lib/policy/policy.js';
import { createWorkClock } from '../lib/run/work-clock.js';
import { createProgram, wholeNumber, wholeNumbers } from '../recipes/program.js';
import { fleetScorers, fleetTraits, recordedResult, secondsOf, type FleetArguments } from './fleet-items.js';

const values = createProgram(
  'npm run bench -- --fleet',
  "a run's trainer and its workers on a real Redis, where each worker sleeps as long as a real one computes",
)
  .addOption(new Option('--fleet').hideHelp())
  .option('--workers <list>', 'a row of the table each', wholeNumbers, [200])
  .option('--items <number>', 'of each worker, on average', wholeNumber(), 100)
  .option(
    '--seconds <number>',
    'of an item, on average; 2.5 are ten samples of mos with its guards',
    parseNumber,
    2.5,
  )
  .parse()
  .opts<{ workers: number[]; items: number; seconds: number }>();
const { items: itemsEach, seconds: meanSeconds } = values;
const SAMPLES = 10;
const WORKERS_IN_A_PROCESS = 50;
const PATIENCE_SECONDS = 60;

if (spawnSync('redis-server', ['--version']).status !== 0)
  throw new Error('the fleet needs a Redis server, which is not installed: apt-get install redis-server');
const model = join(findPackageRoot(), 'models', 'default');
const policy = join(model, 'policy');
const { train } = await loadPrompts(join(model, 'prompts.json'), (await loadPolicy(policy)).tokenizer);

const columns = [
  'workers',
  'items',
  'ideal',
  'took',
  'of the ideal',
  "trainer's share of a core",
  "Redis's share of a core",
  "Redis's memory",
  'traffic of an item',
];
console.log(`| ${columns.join(' | ')} |\n|${columns.map(() => ' --- |').join('')}`);
for (const workers of values.workers) console.log(await measure(workers));
const items = cutRequest(requestOf(train.length), await describeFolder(policy), '');
const itemBytes = meanOf(items.map(({ data }) => JSON.stringify(data).length));
console.log(
  `\nOn average an item takes ${meanSeconds} s and has ${Math.round(itemBytes)} bytes; its result has ${recordedResult.length}.`,
);

/** @returns a row of the table */
async function measure(workers: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'speech-dpo-fleet-'));
  const port = await freePort();
  const address = `redis://127.0.0.1:${port}`;
  const children: ChildProcess[] = [
    spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', ''], {
      stdio: 'ignore',
    }),
  ];
  try {
    const connection = await patiently('Redis does not start', () =>
      connectQueue(address).catch(() => undefined),
    );
    await using queue: OpenQueue = {
      connection,
      terms: await terms(),
      given: {},
      [Symbol.asyncDispose]: () => connection.close(),
    };
    const run = {
      directories: { outputDirectory: folder },
      reward: { name: 'mos' },
      clock: createWorkClock(),
    };
    await using opened = await openFarm(queue, run, folder, policy);
    for (let first = 0; first < workers; first += WORKERS_IN_A_PROCESS) {
      const part: FleetArguments = {
        address,
        first,
        workers: Math.min(WORKERS_IN_A_PROCESS, workers - first),
        meanSeconds,
      };
      const module = fileURLToPath(new URL('./fleet-workers.js', import.meta.url));
      children.push(fork(module, [JSON.stringify(part)]));
    }
    await patiently('the workers do not start', async () => {
      const present = await listPresent(connection, 'workers');
      return present.filter((worker) => worker.run !== undefined).length === workers || undefined;
    });
    const count = workers * itemsEach;
    const request = requestOf(count);
    const ideal = request.prompts.reduce((sum, _prompt, i) => sum + secondsOf(i, meanSeconds), 0) / workers;

    const redisBefore = await infoOf(address);
    const cpuBefore = process.cpuUsage();
    const started = performance.now();
    for await (const event of opened!.farm.answer(request))
      if (event.type === 'fleet' && process.stderr.isTTY)
        process.stderr.write(`\r${event.done} of ${event.total} items, ${event.running} running \r`);
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    const redis = await infoOf(address);
    opened!.setOver();
    const cells = [
      workers,
      count,
      `${ideal.toFixed(1)} s`,
      `${seconds.toFixed(1)} s`,
      percent(ideal / seconds),
      percent((user + system) / 1e6 / seconds),
      percent((redis.cpuSeconds - redisBefore.cpuSeconds) / seconds),
      `${Math.round(redis.peakBytes / 1e6)} MB`,
      `${((redis.trafficBytes - redisBefore.trafficBytes) / count / 1000).toFixed(1)} kB`,
    ];
    return `| ${cells.join(' | ')} |`;
  } finally {
    for (const child of children.toReversed()) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a `mos` run with its guards asks of workers. */
async function terms(): Promise<SamplesTerms> {
  const { versions, computes } = await fleetTraits();
  const [partner, codec] = await Promise.all(
    ['nar', 'codec'].map((part) => describeFolder(join(model, part))),
  );
  return {
    versions,
    computes,
    scorers: fleetScorers,
    work: {
      kind: 'samples',
      rules: { temperature: 1, topK: 0, topP: 1, maxNewTokens: 180 },
      int8: false,
      speech: { partner, codec },
      reward: { name: 'mos', rewardModel: 'nisqa' },
      guards: ['dnsmos', 'fidelity', 'silence'],
      transcriber: null,
    },
  };
}

/** Ten samples of each of so many prompts: the embedded ones, each as often as it takes. */
function requestOf(count: number): SampleRequest {
  const prompts = Array.from({ length: count }, (_, i) => ({
    index: i % train.length,
    item: train[i % train.length],
    ids: [],
  }));
  return {
    ...{ iteration: 0, stage: 'sample', split: 'train', samplesPerPrompt: SAMPLES, seed: 1, guards: 'all' },
    prompts,
  };
}

/** Traffic is what comes in and what goes out. */
async function infoOf(
  address: string,
): Promise<{ peakBytes: number; cpuSeconds: number; trafficBytes: number }> {
  const client = new Redis(address);
  const info = await client.info();
  client.disconnect();
  const valueOf = (name: string) => Number(new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)![1]);
  return {
    peakBytes: valueOf('used_memory_peak'),
    cpuSeconds: valueOf('used_cpu_sys') + valueOf('used_cpu_user'),
    trafficBytes: valueOf('total_net_input_bytes') + valueOf('total_net_output_bytes'),
  };
}

async function patiently<T>(complaint: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 2 * PATIENCE_SECONDS; tries++) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await sleep(500);
  }
  throw new Error(`${complaint} within ${PATIENCE_SECONDS} seconds`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
