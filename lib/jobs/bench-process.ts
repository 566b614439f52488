/** The process that computes for a worker (lib/farm/bench.ts): opens what a run needs, and does its items one after the other. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Codec } from '../codec/codec.js';
import { openCodec } from '../codec/open.js';
import { chooseDevice, type DeviceChoice } from '../engine/index.js';
import { chooseGuards } from '../experiment/answer.js';
import type { PackedPrompt } from '../experiment/packed-prompt.js';
import { sampleCompletions } from '../experiment/sample.js';
import { createScoring } from '../experiment/score.js';
import type { Fault, Order, Report } from '../farm/bench-protocol.js';
import { fetchProblemOf } from '../farm/files/failure.js';
import { fetchFolder } from '../farm/files/fetch.js';
import type { FolderManifest } from '../farm/files/manifest.js';
import { parseItem, promptFromText, resultToText, type ItemData } from '../farm/item.js';
import { comparableVersions, kindOf, type Offer } from '../farm/terms.js';
import type { DatasetItem } from '../data/item.js';
import { isPlainError } from '../plain-error.js';
import { packPrompt } from '../policy/pack.js';
import { openPartner, type Partner } from '../policy/partner.js';
import { loadPolicy, type Policy } from '../policy/policy.js';
import { openSampler, type Sampler } from '../policy/sample.js';
import { openParts, releaseAll } from '../release.js';
import { loadReward, originOf } from '../reward/load.js';
import type { Reward } from '../reward/reward.js';
import { hashOpinionWeights, opinionModels } from '../scoring/opinion.js';
import { cacheFolder } from '../scoring/weights-path.js';
import { openNamedScorers, type Scorers } from './scorers.js';

/** What the process is started with, as JSON in its first argument. */
export interface BenchArguments {
  device: DeviceChoice;
  tf32: boolean;
  /** Files and addresses of rewards. */
  rewards: readonly string[];
}

/** Prompts that are kept: what guards made of them is kept with them. */
const MOST_PROMPTS = 256;
/** Policies on the disk: that of an iteration and the one before. */
const KEPT_POLICIES = 2;

interface OpenRun extends AsyncDisposable {
  offer: Offer;
  scorers: Omit<Scorers, 'notices'>;
  speech?: { partner: Partner; codec: Codec };
}

// A worker that has gone is not told.
const say = (report: Report) => process.send!(report, undefined, undefined, () => undefined);
const onNotice = (message: string) => say({ type: 'notice', message });
const { device: choice, tf32, rewards: sources } = JSON.parse(process.argv[2]) as BenchArguments;

const rewards: Reward[] = [];
for (const source of sources) rewards.push(await loadReward(source));
const { device } = await chooseDevice(choice, { tf32 });

let run: OpenRun | undefined;
let sampled: { hash: string; policy: Policy; sampler: Sampler } | undefined;
const prompts = new Map<string, DatasetItem>();

// The worker has gone: nobody asks any more.
process.on('disconnect', () => process.exit());
// Ctrl-C is the worker's to answer.
process.on('SIGINT', () => undefined);

/** Orders come one at a time. */
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

async function answer(order: Order): Promise<Report> {
  try {
    if (order.type === 'open') {
      await openRun(order.offer);
      return { type: 'opened', run: order.run };
    }
    const started = performance.now();
    const result = await doItem(parseItem(order.data));
    return { type: 'result', id: order.id, seconds: (performance.now() - started) / 1000, result };
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
  return problem === 'disk' ? 'disk' : 'files';
}

/** What is no sentence for a person shows its class. */
function describe(error: unknown): string {
  if (isPlainError(error)) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

const fetch = (folder: FolderManifest, kind: string, { files }: Offer, keep?: number) =>
  fetchFolder(folder, {
    server: files ?? undefined,
    cache: join(cacheFolder(), 'workers'),
    kind,
    keep,
    onNotice,
  });

async function openRun(offer: Offer): Promise<void> {
  await closeRun();
  const { terms } = offer;
  run = await openParts(async (opened) => {
    let speech: OpenRun['speech'];
    if (terms.speech) {
      const partnerModel = await loadPolicy(await fetch(terms.speech.partner, 'partner', offer));
      const codec = await openCodec(await fetch(terms.speech.codec, 'codec', offer), device);
      opened.push(() => codec.dispose());
      const partner = openPartner(partnerModel, device);
      opened.push(() => partner.dispose());
      speech = { partner, codec };
    }
    const reward = rewards.find((each) => originOf(each) === terms.reward.sha256);
    const scorers = await openNamedScorers(terms, speech?.codec, { reward, device, onNotice });
    opened.push(() => scorers[Symbol.asyncDispose]());
    await checkWeights(terms.scorers);
    return { offer, scorers, speech, [Symbol.asyncDispose]: () => releaseAll(opened) };
  });
}

async function closeRun(): Promise<void> {
  await sampled?.sampler.release();
  await run?.[Symbol.asyncDispose]();
  [run, sampled] = [undefined, undefined];
  prompts.clear();
}

/** @throws Error naming the network whose weights are not those of the run */
async function checkWeights(wanted: Readonly<Record<string, string>>): Promise<void> {
  for (const model of opinionModels) {
    if (wanted[model] === undefined) continue;
    const found = await hashOpinionWeights(model);
    if (found !== wanted[model])
      throw new Error(
        `the run scores with ${model.toUpperCase()} weights of SHA-256 ${wanted[model].slice(0, 12)}..., here are others, ${found.slice(0, 12)}...: use the same file on both`,
      );
  }
}

/** The policy of an item: opened once an iteration. */
async function openPolicy(manifest: FolderManifest, offer: Offer): Promise<NonNullable<typeof sampled>> {
  if (sampled?.hash === manifest.hash) return sampled;
  const folder = await fetch(manifest, 'policy', offer, KEPT_POLICIES);
  await sampled?.sampler.release();
  sampled = undefined;
  const policy = await loadPolicy(folder);
  return (sampled = { hash: manifest.hash, policy, sampler: openSampler(policy, device) });
}

/** One object for each prompt, by which guards know it again. */
function keepPrompt(prompt: ItemData['prompt']): DatasetItem {
  const key = createHash('sha256').update(JSON.stringify(prompt)).digest('hex');
  const kept = prompts.get(key) ?? promptFromText(prompt);
  prompts.delete(key);
  prompts.set(key, kept);
  if (prompts.size > MOST_PROMPTS) prompts.delete(prompts.keys().next().value!);
  return kept;
}

async function doItem({ prompt: sent, split, index, position, first, ...asked }: ItemData): Promise<string> {
  if (!run) throw new TypeError('an item came before its run was opened');
  const { offer, scorers, speech } = run;
  const { policy, sampler } = await openPolicy(asked.policy, offer);
  const item = keepPrompt(sent);
  const prompt: PackedPrompt = {
    index,
    item,
    ids: packPrompt(policy, item.instruction, item.src_encodec[0]),
  };
  const { samples, seed } = asked;
  const sampling = { sampler, parameters: { ...offer.terms.rules, seed } };
  const guards = chooseGuards(scorers.guards, asked.guards);
  const scoring = createScoring({ ...speech, reward: scorers.reward }, { split, prompts: [prompt], guards });
  const progress = { iteration: 0, stage: 'sample' } as const;
  const from = { prompt: position, sample: first };
  try {
    const writing = sampleCompletions(sampling, [prompt], samples, seed, progress, scoring.add, from);
    for (let step = await writing.next(); !step.done; step = await writing.next());
    const finishing = scoring.finish(progress);
    for (;;) {
      const { done, value } = await finishing.next();
      if (done) return resultToText(value[0].slice(first));
    }
  } finally {
    await scoring.close();
  }
}
