/** The embedded model's way from codes to sound, which has no peer: what an experiment does with every sample it scores. */
import { CpuDevice } from '../lib/engine/index.js';
import { join } from 'node:path';
import type { Codes } from '../lib/codec/codec.js';
import type { DatasetItem } from '../lib/data/item.js';
import { openSpectralCodec } from '../lib/codec/spectral/codec.js';
import { loadPrompts } from '../lib/data/prompts.js';
import { findPackageRoot } from '../lib/package-root.js';
import { openPartner } from '../lib/policy/partner.js';
import { loadPolicy } from '../lib/policy/policy.js';

const device = new CpuDevice();

const MODEL = join(findPackageRoot(), 'models/default');
const PROMPTS = 10;

/** Prompts take turns, as completions that end together are of several. */
async function answers(count: number): Promise<DatasetItem[]> {
  const { tokenizer } = await loadPolicy(join(MODEL, 'policy'));
  const { test } = await loadPrompts(join(MODEL, 'prompts.json'), tokenizer);
  return Array.from({ length: count }, (_, i) => test[i % PROMPTS]);
}

/** Writes codebooks 1 to 7 of `count` samples; the first call loads and compiles. */
export function fillCodebooks(count: number): () => Promise<void> {
  const open = once(async () => {
    const partner = openPartner(await loadPolicy(join(MODEL, 'nar')), device);
    const items = (await answers(count)).map(({ instruction, src_encodec, tgt_encodec }) => ({
      instruction,
      source: src_encodec,
      codebook0: tgt_encodec[0],
    }));
    return { partner, items };
  });
  return async () => {
    const { partner, items } = await open();
    await partner.fill(items);
  };
}

/** Decodes `count` samples to sound; the first call loads and compiles. */
export function decodeSounds(count: number): () => Promise<void> {
  const open = once(async () => {
    const codec = await openSpectralCodec(join(MODEL, 'codec'), device);
    const sounds: Codes[] = (await answers(count)).map(({ tgt_encodec }) => tgt_encodec);
    return { codec, sounds };
  });
  return async () => {
    const { codec, sounds } = await open();
    for (const codes of sounds) await codec.decode(codes);
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
