/** The process that computes for a worker (lib/farm/executor.ts): opens what the work needs, and does its items one after the other. */
import { chooseDevice, type Device, type DeviceChoice } from '../engine/index.js';
import type { Fault, Order, Report } from '../farm/executor-protocol.js';
import { fetchProblemOf } from '../farm/files/failure.js';
import { comparableVersions, kindOf, type Offer, type Terms } from '../farm/terms.js';
import { isPlainError } from '../plain-error.js';
import { loadReward, originOf } from '../reward/load.js';
import type { Reward } from '../reward/reward.js';
import { hashWeights, scoringNetworks } from '../scoring/networks.js';
import { hashTranscriber } from '../scoring/transcribe.js';
import type { OpenWork } from './open-work.js';
import { openRecordingsWork } from './recordings-work.js';
import { openSamplesWork } from './samples-work.js';

/** What the process is started with, as JSON in its first argument. */
export interface ExecutorArguments {
  device: DeviceChoice;
  tf32: boolean;
  /** Files and addresses of rewards. */
  rewards: readonly string[];
}

// A worker that has gone is not told.
const say = (report: Report) => process.send!(report, undefined, undefined, () => undefined);
const onNotice = (message: string) => say({ type: 'notice', message });
const { device: choice, tf32, rewards: sources } = JSON.parse(process.argv[2]) as ExecutorArguments;

// The worker has gone: nobody asks any more.
process.on('disconnect', () => process.exit());
// Ctrl-C is the worker's to answer.
process.on('SIGINT', () => undefined);

const { rewards, device } = await openGiven();
let work: OpenWork | undefined;

// Orders come one at a time.
process.on('message', (order: Order) => {
  void answer(order).then(say);
});
say({
  type: 'ready',
  device: device.description,
  computes: await kindOf(device),
  versions: await comparableVersions(),
  rewards: rewards.map((reward) => originOf(reward)!),
});

/** What the process was started with; where a person has to mend it, the worker is told why. */
async function openGiven(): Promise<{ rewards: Reward[]; device: Device }> {
  try {
    const rewards: Reward[] = [];
    for (const source of sources) rewards.push(await loadReward(source));
    return { rewards, device: (await chooseDevice(choice, { tf32 })).device };
  } catch (error) {
    if (!isPlainError(error)) throw error;
    say({ type: 'unusable', reason: error.message });
    // Until the worker has heard it, and goes.
    return new Promise(() => undefined);
  }
}

async function answer(order: Order): Promise<Report> {
  try {
    if (order.type === 'open') {
      await openWork(order.offer);
      return { type: 'opened', run: order.run };
    }
    if (!work) throw new TypeError('an item came before its work was opened');
    const startMs = performance.now();
    const result = await work.do(order.data);
    return { type: 'result', id: order.id, seconds: (performance.now() - startMs) / 1000, result };
  } catch (error) {
    const [fault, reason] = [faultOf(error), describe(error)];
    return order.type === 'open'
      ? { type: 'refused', run: order.run, fault, reason }
      : { type: 'failed', id: order.id, fault, reason };
  }
}

function faultOf(error: unknown): Fault {
  const problem = fetchProblemOf(error);
  if (problem === undefined) return 'item';
  return problem === 'disk' ? 'disk' : 'worker';
}

/** What is no sentence for a person shows its class. */
function describe(error: unknown): string {
  if (isPlainError(error)) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

async function openWork({ terms, files }: Offer): Promise<void> {
  await work?.[Symbol.asyncDispose]();
  work = undefined;
  const server = files ?? undefined;
  const options = { device, server, onNotice };
  const opened =
    terms.work.kind === 'samples'
      ? await openSamplesWork(terms.work, { ...options, rewards })
      : await openRecordingsWork(terms.work, options);
  try {
    // Opening may have downloaded them.
    await checkWeights(terms);
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
  work = opened;
}

/** @throws Error naming the network whose weights are not those of the run */
async function checkWeights({ scorers: wanted, work }: Terms): Promise<void> {
  for (const model of scoringNetworks) {
    if (wanted[model] === undefined) continue;
    const found = await hashWeights(model);
    if (found !== wanted[model])
      throw new Error(
        `the run scores with ${model.toUpperCase()} weights whose SHA-256 begins with ${wanted[model].slice(0, 12)}, and that of the weights here begins with ${found.slice(0, 12)}: use the same file on both`,
      );
  }
  const recognizer = work.transcriber;
  if (wanted.transcriber !== undefined && (await hashTranscriber(recognizer!)) !== wanted.transcriber)
    throw new Error(
      `the run hears words with the recognizer ${recognizer}, whose weights or packages here have other versions: use the same on both`,
    );
}
