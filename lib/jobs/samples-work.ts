/** A worker's side of a run: draws a prompt's samples, makes them audible, scores and guards them. */
import { createHash } from 'node:crypto';
import type { Codec } from '../codec/codec.js';
import { openCodec } from '../codec/open.js';
import type { DatasetItem } from '../data/item.js';
import { chooseGuards } from '../experiment/local-farm.js';
import type { PackedPrompt } from '../experiment/packed-prompt.js';
import { sampleCompletions } from '../experiment/sample.js';
import { createScoring } from '../experiment/score.js';
import { fetchFolder } from '../farm/files/fetch.js';
import type { FolderManifest } from '../farm/files/manifest.js';
import { parseItem, promptFromText, resultToText, type ItemData } from '../farm/item.js';
import type { SamplesWork } from '../farm/terms.js';
import { packPrompt } from '../policy/pack.js';
import { mergeAdapter } from '../policy/lora.js';
import { openPartner, type Partner } from '../policy/partner.js';
import { isAdapterFolder } from '../policy/adapter-folder.js';
import { loadPolicy, type Policy } from '../policy/policy.js';
import { openSampler, type Sampler } from '../policy/sample.js';
import { openParts, releaseAll } from '../release.js';
import { originOf } from '../reward/load.js';
import type { Reward } from '../reward/reward.js';
import { workersCache, type OpenWork, type WorkOptions } from './open-work.js';
import { openNamedScorers } from './scorers.js';

/** Prompts that are kept: what guards made of them is kept with them. */
const MOST_PROMPTS = 256;
/** Policies on the disk: that of an iteration and the one before. */
const KEPT_POLICIES = 2;

/** @throws Error in one sentence for what the worker lacks */
export function openSamplesWork(
  work: SamplesWork,
  { device, server, rewards, onNotice }: WorkOptions & { rewards: readonly Reward[] },
): Promise<OpenWork> {
  const fetch = (folder: FolderManifest, kind: string, keep?: number) =>
    fetchFolder(folder, { server, cache: workersCache(), kind, keep, onNotice });

  return openParts(async (opened) => {
    let speech: { partner: Partner; codec: Codec } | undefined;
    if (work.speech) {
      const partnerModel = mergeAdapter(await loadPolicy(await fetch(work.speech.partner, 'partner')));
      const { codebooks } = partnerModel.tokenizer;
      const codec = await openCodec(await fetch(work.speech.codec, 'codec'), device, { codebooks });
      opened.push(() => codec.dispose());
      const partner = openPartner(partnerModel, device, work);
      opened.push(() => partner.dispose());
      speech = { partner, codec };
    }
    const { name, sha256, parts = [{ name, sha256 }] } = work.reward;
    const hashes = parts.flatMap((part) => part.sha256 ?? []);
    const own = hashes.flatMap((hash) => rewards.find((each) => originOf(each) === hash) ?? []);
    const scorers = await openNamedScorers(work, speech?.codec, { own, device, onNotice });
    opened.push(() => scorers[Symbol.asyncDispose]());

    let sampled: { hash: string; policy: Policy; sampler: Sampler } | undefined;
    opened.push(() => sampled?.sampler.release());
    const keepPrompt = createPromptCache();

    /** The policy of an item: opened once an iteration. */
    async function openPolicy(manifest: FolderManifest) {
      if (sampled?.hash === manifest.hash) return sampled;
      const folder = await fetch(manifest, 'policy', KEPT_POLICIES);
      await sampled?.sampler.release();
      sampled = undefined;
      const isAdapter = work.base && (await isAdapterFolder(folder));
      const base = isAdapter ? await fetch(work.base!, 'base') : undefined;
      const policy = await loadPolicy(folder, undefined, { base });
      return (sampled = { hash: manifest.hash, policy, sampler: openSampler(policy, device, work) });
    }

    async function doItem(data: ItemData): Promise<string> {
      const { split, index, position, first, samples, seed } = data;
      const { policy, sampler } = await openPolicy(data.policy);
      const item = keepPrompt(data.prompt);
      const ids = packPrompt(policy, item.instruction, item.src_encodec[0]);
      const prompt: PackedPrompt = { index, item, ids };
      const sampling = { sampler, parameters: { ...work.rules, seed } };
      const guards = chooseGuards(scorers.guards, data.guards);
      const scoring = createScoring(
        { ...speech, reward: scorers.reward },
        { split, prompts: [prompt], guards },
      );
      const progress = { iteration: 0, stage: 'sample' } as const;
      const from = { prompt: position, sample: first };
      try {
        await resultOf(sampleCompletions(sampling, [prompt], samples, seed, progress, scoring.add, from));
        const [scored] = await resultOf(scoring.finish(progress));
        return resultToText(scored.slice(first));
      } finally {
        await scoring.close();
      }
    }

    return {
      do: async (data) => doItem(parseItem(data)),
      [Symbol.asyncDispose]: () => releaseAll(opened),
    };
  });
}

/** What a generator returns; nobody is told of the progress on the way. */
async function resultOf<T>(work: AsyncGenerator<unknown, T>): Promise<T> {
  for (;;) {
    const { done, value } = await work.next();
    if (done) return value;
  }
}

/** One object for each prompt, by which guards know it again. */
function createPromptCache(): (prompt: ItemData['prompt']) => DatasetItem {
  const prompts = new Map<string, DatasetItem>();
  return (prompt) => {
    const key = createHash('sha256').update(JSON.stringify(prompt)).digest('hex');
    const kept = prompts.get(key) ?? promptFromText(prompt);
    prompts.delete(key);
    prompts.set(key, kept);
    if (prompts.size > MOST_PROMPTS) prompts.delete(prompts.keys().next().value!);
    return kept;
  };
}
